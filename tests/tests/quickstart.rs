//! The quickstart itself: it shows what it does, and leaves nothing behind however it ends.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use copkg_skip::skip;
use copkg_tests::example::Example;
use copkg_tests::programs::Programs;
use rustix::process::{Pid, Signal, kill_process};

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn the_tour_shows_its_commands_and_leaves_nothing_behind() -> Outcome {
    let Some(place) = place()? else { return Ok(()) };
    let output = tour(place.path(), &[]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let commands = [
        "$ cd ",
        "$ pkgbuild build",
        "$ repo-server init",
        "$ repo-server serve",
        "$ pkgbuild publish",
        "$ pkginstall repo add",
        "$ pkginstall install",
        "$ pkginstall start",
    ];
    for command in commands {
        assert!(said.contains(command), "no {command:?} in\n{said}");
    }
    assert!(said.contains("Hello from 1.hello.dev.local"), "{said}");
    nothing_is_left(place.path());
    Ok(())
}

#[test]
fn the_tour_cleans_up_when_it_is_interrupted() -> Outcome {
    let Some(place) = place()? else { return Ok(()) };
    // When the service runs there is most to clean up.
    for moment in ["Build and sign", "Look at it"] {
        let mut child = tour(place.path(), &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        while said.read_line(&mut line)? > 0 && !line.contains(moment) {
            line.clear();
        }
        interrupt(&child)?;
        let mut rest = String::new();
        said.read_to_string(&mut rest)?;
        assert!(!child.wait()?.success(), "{rest}");
        nothing_is_left(place.path());
    }
    Ok(())
}

#[test]
fn what_is_kept_can_be_used_and_ended_as_it_says() -> Outcome {
    let Some(place) = place()? else { return Ok(()) };
    let output = tour(place.path(), &["--keep"]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let (_, advice) = said.split_once("It keeps running").ok_or("no advice")?;
    let commands: String = advice.split_inclusive('\n').filter(|line| line.starts_with("    ")).collect();
    let shell = Command::new("/bin/sh").args(["-euc", &commands]).current_dir(place.path()).output()?;
    assert!(shell.status.success(), "{commands}{}", String::from_utf8_lossy(&shell.stderr));
    nothing_is_left(place.path());
    Ok(())
}

/// Makes a directory that the tour takes for the temporary one; none where the example cannot be built.
fn place() -> Result<Option<tempfile::TempDir>, Box<dyn Error>> {
    Programs::find()?;
    if let Err(why) = Example::HelloService.check_machine() {
        skip("the quickstart", why);
        return Ok(None);
    }
    Ok(Some(tempfile::Builder::new().prefix("copkg-tour-").tempdir()?))
}

fn tour(place: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    command.args(["--no-build", "--example", "hello-service"]).args(more);
    command.env("TMPDIR", place).stdin(Stdio::null());
    command
}

fn interrupt(child: &Child) -> Outcome {
    let pid = Pid::from_raw(i32::try_from(child.id())?).ok_or("no PID")?;
    kill_process(pid, Signal::INT)?;
    Ok(())
}

/// Checks that no file and no process of the tour is there.
fn nothing_is_left(place: &Path) {
    let files: Vec<_> =
        fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(files.is_empty(), "left behind: {files:?}");
    let place = place.to_string_lossy();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(!line.contains(place.as_ref()), "still running: {line}");
    }
}
