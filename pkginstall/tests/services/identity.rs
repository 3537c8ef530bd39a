//! A number is not a process: whatever stands in a file, nobody is signalled who is not proven to be of the service.

use std::fs;
use std::process::{Child, Command};
use std::time::SystemTime;

use pkginstall::process::ProcessIdentity;
use serde_json::Value;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, eventually};

/// A process that must survive the test.
struct Innocent(Child);

impl Innocent {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    #[track_caller]
    fn assert_unharmed(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "an innocent process was signalled");
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes the record of a started service that died name `pid` instead, as it was `change`d.
fn forge(host: &Host, pid: u32, change: impl Fn(&mut Value)) {
    host.start().ok();
    for process in host.living() {
        Command::new("kill").args(["-KILL", &process.pid().to_string()]).status().unwrap();
    }
    eventually("it is dead", || host.living().is_empty());
    let path = host.prefix().service_record(&SERVICE.parse().unwrap());
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let identity = ProcessIdentity::of(pid).unwrap().unwrap();
    let mut forged = serde_json::to_value(&identity).unwrap();
    change(&mut forged);
    record["run"]["processes"] = Value::Array(vec![forged]);
    record["run"]["sessions"] = Value::Array(vec![pid.into()]);
    fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    fs::write(host.runtime().join("run/start.pid"), format!("{pid}\n")).unwrap();
}

/// Writes a `run/start.pid` that is older than every process: whoever has its number now got it later.
fn write_before_the_boot(host: &Host, pid: u32) {
    let path = host.runtime().join("run/start.pid");
    fs::write(&path, format!("{pid}\n")).unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

#[test]
fn a_reused_pid_is_never_signalled() {
    let mut innocent = Innocent::new();
    let earlier = |process: &mut Value| {
        process["start_time"] = (process["start_time"].as_u64().unwrap() - 1).into();
    };
    for act in [Host::stop, Host::start] {
        let host = Host::with(Package::serving(SLEEPER));
        forge(&host, innocent.pid(), earlier);
        assert_eq!(host.status().exit, 3);
        let ran = act(&host).ok();
        assert!(ran.err.contains("stale run/start.pid"), "{ran:?}");
        innocent.assert_unharmed();
    }
}

#[test]
fn a_process_of_an_earlier_boot_is_never_signalled() {
    let mut innocent = Innocent::new();
    let host = Host::with(Package::serving(SLEEPER));
    forge(&host, innocent.pid(), |process| process["boot"] = "00000000-0000-0000-0000-000000000000".into());
    assert_eq!(host.status().exit, 3);
    assert_eq!(host.stop().ok().json()["changed"], false);
    innocent.assert_unharmed();
}

#[test]
fn a_stale_pid_file_without_a_record_is_cleaned_and_said() {
    let mut innocent = Innocent::new();
    for act in [Host::stop, Host::start] {
        let host = Host::with(Package::serving(SLEEPER));
        fs::create_dir_all(host.runtime().join("run")).unwrap();
        write_before_the_boot(&host, innocent.pid());
        assert_eq!(host.status().exit, 3);
        let ran = act(&host).ok();
        assert!(ran.err.contains("stale run/start.pid"), "{ran:?}");
        innocent.assert_unharmed();
        assert_ne!(host.read("run/start.pid"), format!("{}\n", innocent.pid()));
    }
}

#[test]
fn a_number_of_what_is_older_than_the_last_start_is_no_start_by_hand() {
    let mut innocent = Innocent::new();
    let host = Host::with(Package::serving(SLEEPER));
    // A tick of the kernel's clock, so that it is older.
    std::thread::sleep(std::time::Duration::from_millis(20));
    for act in [Host::stop, Host::start] {
        host.start().ok();
        for process in host.living() {
            Command::new("kill").args(["-KILL", &process.pid().to_string()]).status().unwrap();
        }
        eventually("it is dead", || host.living().is_empty());
        fs::write(host.runtime().join("run/start.pid"), format!("{}\n", innocent.pid())).unwrap();
        assert_eq!(host.status().exit, 3);
        let ran = act(&host).ok();
        assert!(ran.err.contains("stale run/start.pid"), "{ran:?}");
        innocent.assert_unharmed();
    }
    host.stop().ok();
    innocent.assert_unharmed();
}

#[test]
fn a_start_script_that_names_a_stranger_does_not_adopt_it() {
    let mut innocent = Innocent::new();
    let start =
        format!("#!/bin/sh\nsleep 600 &\necho {} >\"${{1#--runtime-dir=}}/run/start.pid\"\n", innocent.pid());
    let host = Host::with(Package::serving("").with("script.d/start", &start));
    host.start().ok();
    host.stop().ok();
    innocent.assert_unharmed();
    host.assert_nothing_left();
}

#[test]
fn a_pid_file_that_is_no_list_of_numbers_makes_the_state_unknown() {
    let host = Host::with(Package::serving(SLEEPER));
    host.start().ok();
    host.stop().ok();
    fs::write(host.runtime().join("run/start.pid"), "-1\n").unwrap();
    let status = host.status();
    assert_eq!(status.exit, 4);
    let why = status.json()["services"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("names no process: \"-1\""), "{why}");
    let stopped = host.stop().ok();
    assert!(stopped.err.contains("it is not believed"), "{stopped:?}");
    assert_eq!(host.status().exit, 3);
}

#[test]
fn what_an_interrupted_start_left_is_ended_by_the_next() {
    let start = "#!/bin/sh\nsetsid sleep 600 &\nwhile [ ! -e go ]; do sleep 0.05; done\n\
                 setsid sleep 601 &\necho $! >run/start.pid\n";
    let host = Host::with(Package::serving("").with("script.d/start", start));
    let mut interrupted = host.spawn(&["start", PACKAGE, "--as", SERVICE]);
    eventually("its script runs", || host.living().len() >= 2);
    interrupted.kill().unwrap();
    interrupted.wait().unwrap();
    assert_eq!(host.status().exit, 4);

    let left = host.living();
    fs::write(host.runtime().join("go"), "").unwrap();
    let started = host.start().ok();
    assert!(started.err.contains("was cut short while the new one was being started"), "{started:?}");
    let now = host.living();
    assert!(left.iter().all(|process| !now.contains(process)), "{left:?} {now:?}");
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn links_that_the_service_planted_are_not_followed() {
    let host = Host::with(Package::serving(SLEEPER));
    host.start().ok();
    host.stop().ok();
    let treasure = host.root().join("treasure");
    fs::create_dir(&treasure).unwrap();
    let log = host.runtime().join("log");
    fs::remove_dir_all(&log).unwrap();
    std::os::unix::fs::symlink(&treasure, &log).unwrap();
    let refused = host.start();
    assert_eq!(refused.json()["error"]["code"], "runtime_directory_occupied");
    assert_eq!(fs::read_dir(&treasure).unwrap().count(), 0);
    host.assert_nothing_left();
}

/// In a PID namespace of its own: a service dies, the next process gets its number, and then the service is stopped or
/// started. Prints the number of innocent processes that were harmed.
const REUSE: &str = r#"
n=0 wrong=0
while [ $n -lt "$ROUNDS" ]; do
    n=$((n + 1))
    "$@" --quiet start "$PACKAGE" --as "$SERVICE" >/dev/null || exit 1
    read -r pid <"$RUNTIME/run/start.pid"
    kill -KILL "$pid"
    while [ -e "/proc/$pid" ]; do sleep 0.01; done
    # Others take numbers, too: until it is the one that we want.
    while :; do
        echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid || exit 77
        sleep 600 &
        [ $! -ne "$pid" ] || break
        kill -KILL $!
    done
    if [ $((n % 2)) -eq 0 ]; then
        "$@" --quiet stop "$SERVICE" >/dev/null || exit 1
    else
        "$@" --quiet start "$PACKAGE" --as "$SERVICE" >/dev/null || exit 1
        "$@" --quiet stop "$SERVICE" >/dev/null || exit 1
    fi
    kill -0 "$pid" || wrong=$((wrong + 1))
    kill -KILL "$pid"
    wait 2>/dev/null
done
echo "$n reused, $wrong harmed"
"#;

/// `COPKG_PID_REUSES=1000 cargo test -p pkginstall --test services forced` is the long run.
#[test]
fn of_forced_reuses_of_a_pid_none_harms_a_stranger() {
    if !rustix::process::geteuid().is_root() {
        let why = "only root may choose the next number; the tests above forge the records instead";
        return copkg_skip::skip("forced reuses of a PID", why);
    }
    let rounds = std::env::var("COPKG_PID_REUSES").unwrap_or_else(|_| "10".into());
    let host = Host::with(Package::serving(SLEEPER).that(|service| service.settle_milliseconds = 20));
    let pkginstall = host.command(&[]);
    let mut namespace = Command::new("unshare");
    namespace
        .args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", REUSE, "sh"])
        .arg(pkginstall.get_program())
        .args(pkginstall.get_args())
        .env("ROUNDS", &rounds)
        .env("PACKAGE", PACKAGE)
        .env("SERVICE", SERVICE)
        .env("RUNTIME", host.runtime());
    let ran = super::scene::ran(namespace.output().unwrap());
    assert_eq!((ran.exit, ran.out.trim()), (0, format!("{rounds} reused, 0 harmed").as_str()), "{ran:?}");
}
