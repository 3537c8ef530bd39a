//! The agent as a daemon.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::world::{SERVICE, World, package};

/// An agent; killed when it is dropped.
struct Daemon(Child);

impl Daemon {
    fn signal(&self, signal: &str) -> Outcome {
        Command::new("kill").args([signal, &self.0.id().to_string()]).status()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so, by the clock of whoever runs the tests: it fails after a minute.
fn eventually(what: &str, mut is_so: impl FnMut() -> Result<bool, Box<dyn std::error::Error>>) -> Outcome {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > Duration::from_secs(60) {
            return Err(format!("it never happened: {what}").into());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn the_agent_looks_after_services_follows_channels_and_ends_in_order() -> Outcome {
    let world = World::new()?;
    world.follow()?;
    world.promote("2")?;
    let socket = world.scene.path().join("notify");
    let systemd = UnixDatagram::bind(&socket)?;
    systemd.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut command = world.scene.command("pkginstall", ["agent", "--interval", "3600"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "1000000");
    let mut agent = Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let mut buffer = [0; 1000];
    let mut said = Vec::new();
    let mut hears = |word: &str| -> Outcome {
        while !said.iter().any(|one: &String| one.contains(word)) {
            let length = systemd.recv(&mut buffer)?;
            said.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        said.clear();
        Ok(())
    };
    hears("READY=1")?;
    hears("WATCHDOG=1")?;
    hears("STATUS=last round ended")?;
    assert_eq!(world.runs(SERVICE)?, "2");

    // The next round is an hour away: HUP makes one now.
    world.demote("1")?;
    agent.signal("-HUP")?;
    eventually("it is taken down", || Ok(world.starts(SERVICE).last().is_some_and(|last| last == "1")))?;
    hears("STATUS=last round ended")?;
    assert_eq!(world.ok(&["follow"])?["subscriptions"][0]["at"], package("1"));

    let starts = world.starts(SERVICE).len();
    world.kill_services();
    eventually("it is started again", || {
        Ok(world.starts(SERVICE).len() > starts && world.pkginstall(&["status", SERVICE])?.is_success())
    })?;
    agent.signal("-TERM")?;
    hears("STOPPING=1")?;
    assert!(agent.0.wait()?.success());
    assert_eq!(world.runs(SERVICE)?, "1");
    Ok(())
}

#[test]
fn what_makes_rounds_is_printed_ready_to_use() -> Outcome {
    let world = World::new()?;
    world.follow()?;
    let window = ["--window", "00:00-12:00 UTC", "--window", "12:00-00:00 UTC"];
    let line = world.ok(&[&["crontab", "--interval", "600"], &window[..]].concat())?["line"].take();
    let line = line.as_str().ok_or("it is text")?;
    let (_, run) = line.split_once(" * * * * ").ok_or_else(|| format!("a line of a crontab: {line}"))?;
    world.promote("2")?;
    let mut cron = Command::new("/bin/sh");
    cron.args(["-c", run]).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    world.scene.run(&mut cron)?.success()?;
    assert_eq!(world.runs(SERVICE)?, "2");

    let units = world.ok(&["timer", "--window", "Sun 02:00-04:00"])?["units"].take();
    let service = units[0]["text"].as_str().unwrap_or_default();
    assert!(service.contains("\"agent\" \"--once\" \"--window\" \"Sun 02:00-04:00\"\n"), "{service}");
    let written = world.ok(&["unit", "--agent", "--user", "--interval", "120"])?;
    let text = std::fs::read_to_string(written["units"][0]["path"].as_str().unwrap_or_default())?;
    assert!(text.contains("\"agent\" \"--interval\" \"120\"\n") && text.contains("Type=notify"), "{text}");
    world.pkginstall(&["unit", "--interval", "120"])?.expect_code(2)?;
    let short = world.pkginstall(&["agent", "--interval", "5", "--json"])?.expect_code(2)?.json()?;
    assert_eq!(short["error"]["code"], "bad_interval");
    Ok(())
}
