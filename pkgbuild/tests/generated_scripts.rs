//! The generated scripts with real processes, alone: under every shell that is here, with spaces and Unicode in every path.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Ran};

use pkgbuild::scripts::{Output, Parameter, ServiceCommand, generate};

/// The shells that are here. `sh` always is.
fn shells() -> Vec<&'static [&'static str]> {
    let all: [&[&str]; 4] = [&["sh"], &["dash"], &["bash", "--posix"], &["busybox", "sh"]];
    let is_here = |shell: &&[&str]| Command::new(shell[0]).args(&shell[1..]).args(["-c", "exit 7"]).status();
    all.into_iter().filter(|shell| is_here(shell).is_ok_and(|status| status.code() == Some(7))).collect()
}

fn in_each_shell(test: fn(&'static [&'static str])) {
    std::thread::scope(|scope| {
        for shell in shells() {
            scope.spawn(move || test(shell));
        }
    });
}

/// An unpacked package with generated scripts, and its runtime directory. Its processes end with it.
struct Package {
    shell: &'static [&'static str],
    root: tempfile::TempDir,
}

impl Package {
    /// A package whose `bin/server` is a script with this body.
    fn new(shell: &'static [&'static str], server: &str, change: fn(&mut ServiceCommand)) -> Self {
        let root = tempfile::Builder::new().prefix("a préfix 'with' = $x ").tempdir().unwrap();
        let package = Self { shell, root };
        fs::create_dir_all(package.software().join("bin")).unwrap();
        fs::create_dir_all(package.software().join("script.d")).unwrap();
        let mut command = ServiceCommand {
            exec: "bin/server".into(),
            parameters: Vec::new(),
            directories: vec!["data/cache dir".into()],
            output: Output::Log,
            pid_file: None,
            stop_signal: "TERM".into(),
            start_timeout_seconds: 11,
            settle_milliseconds: 0,
            stop_timeout_seconds: 11,
        };
        change(&mut command);
        let scripts = generate(&command).unwrap();
        package.install("bin/server", &format!("#!/bin/sh\n{server}\n"));
        package.install("script.d/start", &scripts.start);
        package.install("script.d/stop", &scripts.stop);
        package
    }

    fn install(&self, path: &str, text: &str) {
        let path = self.software().join(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn software(&self) -> PathBuf {
        self.root.path().join("software/ö pkg/1.0")
    }

    fn runtime(&self) -> PathBuf {
        self.root.path().join("run time/1.web.dev.local")
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.runtime().join(path)).unwrap_or_default()
    }

    fn run(&self, script: &Path, options: &[&str]) -> Ran {
        Command::new(self.shell[0]).args(&self.shell[1..]).arg(script).args(options).output().unwrap()
    }

    fn start(&self, options: &[&str]) -> Ran {
        let runtime = format!("--runtime-dir={}", self.runtime().display());
        let options = [&[&*runtime, "--coordinate=1.web.dev.local"], options].concat();
        self.run(&self.software().join("script.d/start"), &options)
    }

    fn stop(&self) -> Ran {
        self.stop_there(&self.runtime())
    }

    fn stop_there(&self, runtime: &Path) -> Ran {
        self.run(&self.software().join("script.d/stop"), &[&format!("--runtime-dir={}", runtime.display())])
    }

    /// The processes that `run/start.pid` names.
    fn recorded(&self) -> Vec<u32> {
        self.read("run/start.pid").lines().map(|line| line.parse().unwrap()).collect()
    }

    /// The processes that a start of this package left, by their environment.
    fn living(&self) -> Vec<u32> {
        let mark = format!("COPKG_RUNTIME_DIR={}", self.runtime().display());
        let is_marked = |pid: u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&b| b == 0).any(|variable| variable == mark.as_bytes())
        };
        let pids =
            fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
        pids.filter(|&pid| is_marked(pid)).collect()
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        for pid in self.living() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    }
}

fn exit_of(ran: &Ran) -> i32 {
    ran.status.code().unwrap()
}

fn says(ran: &Ran) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned()
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[test]
fn a_service_that_stays_in_the_foreground_is_started_and_stopped() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "echo serving; exec sleep 600", |c| c.settle_milliseconds = 1_000);
        let started = package.start(&[]);
        assert_eq!(exit_of(&started), 0, "{shell:?}: {}", says(&started));
        assert_eq!(package.recorded(), package.living(), "{shell:?}");
        assert_eq!(package.read("log/console.log"), "serving\n");
        assert!(package.runtime().join("data/cache dir").is_dir());

        let stopped = package.stop();
        assert_eq!(exit_of(&stopped), 0, "{shell:?}: {}", says(&stopped));
        assert_eq!(package.living(), [0; 0]);
        assert!(!package.runtime().join("run/start.pid").exists());
    });
}

fn env_resets_signals() -> bool {
    let env = Command::new("env").args(["--default-signal=HUP,INT,QUIT", "true"]).status();
    env.is_ok_and(|status| status.success())
}

#[test]
fn a_service_may_be_interrupted_where_env_allows_it() {
    if !env_resets_signals() {
        return copkg_skip::skip("signals that the starter ignored", "env has no --default-signal here");
    }
    in_each_shell(|shell| {
        let package = Package::new(shell, "exec sleep 600", |c| c.stop_signal = "INT".into());
        assert_eq!(exit_of(&package.start(&[])), 0);
        assert_eq!(exit_of(&package.stop()), 0, "{shell:?}");
    });
}

#[test]
fn a_service_hears_a_hangup_also_when_its_start_was_told_to_ignore_it() {
    if !env_resets_signals() {
        return copkg_skip::skip("signals that the starter ignored", "env has no --default-signal here");
    }
    in_each_shell(|shell| {
        let package = Package::new(shell, "exec sleep 600", |c| c.stop_signal = "HUP".into());
        let script = package.software().join("script.d/start");
        let started = Command::new("nohup")
            .args(shell)
            .arg(script)
            .arg(format!("--runtime-dir={}", package.runtime().display()))
            .arg("--coordinate=1.web.dev.local")
            .output()
            .unwrap();
        assert_eq!(exit_of(&started), 0, "{shell:?}: {}", says(&started));
        assert_eq!(exit_of(&package.stop()), 0, "{shell:?}");
    });
}

#[test]
fn a_daemon_is_found_by_its_mark_without_its_workers() {
    in_each_shell(|shell| {
        let server = "setsid sh -c 'sleep 600 & exec sleep 601' </dev/null >/dev/null 2>&1 &\nexit 0";
        let package = Package::new(shell, server, |c| c.settle_milliseconds = 5_000);
        let started = package.start(&[]);
        assert_eq!(exit_of(&started), 0, "{shell:?}: {}", says(&started));
        let [pid] = package.recorded()[..] else { panic!("{shell:?}: {:?}", package.recorded()) };
        assert!(fs::read(format!("/proc/{pid}/cmdline")).unwrap().ends_with(b"601\0"), "{shell:?}");
    });
}

#[test]
fn a_daemon_without_a_mark_is_found_by_its_pid_file() {
    in_each_shell(|shell| {
        // It writes late, without an end of line, after it left: all of that happens.
        let server = "(sleep 0.3; env -i sleep 600 & printf %s $! >run/own.pid) >/dev/null 2>&1 &";
        let package = Package::new(shell, server, |c| c.pid_file = Some("run/own.pid".into()));
        fs::create_dir_all(package.runtime().join("run")).unwrap();
        fs::write(package.runtime().join("run/own.pid"), "1\n").unwrap();
        let started = package.start(&[]);
        assert_eq!(exit_of(&started), 0, "{shell:?}: {}", says(&started));
        assert_eq!(package.read("run/start.pid").trim(), package.read("run/own.pid"));
        assert_eq!(exit_of(&package.stop()), 0);
    });
}

#[test]
fn a_service_that_ends_at_once_is_a_failure_with_its_exit_code() {
    in_each_shell(|shell| {
        let failing = Package::new(shell, "exit 3", |c| c.settle_milliseconds = 5_000);
        let ran = failing.start(&[]);
        assert_eq!(exit_of(&ran), 3, "{shell:?}: {}", says(&ran));
        assert!(says(&ran).contains("the service ended with exit code 3"), "{}", says(&ran));
        assert_eq!(failing.recorded(), [0; 0]);

        let idle = Package::new(shell, "exit 0", |c| c.settle_milliseconds = 5_000);
        let ran = idle.start(&[]);
        assert_eq!(exit_of(&ran), 1, "{shell:?}");
        assert!(says(&ran).contains("name its pid_file"), "{}", says(&ran));
    });
}

#[test]
fn a_second_start_is_refused_while_the_first_lives() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "exec sleep 600", |_| {});
        assert_eq!(exit_of(&package.start(&[])), 0);
        let first = package.recorded();
        let again = package.start(&[]);
        assert_eq!(exit_of(&again), 1);
        assert!(says(&again).contains("1.web.dev.local is running already"), "{}", says(&again));
        assert_eq!(package.recorded(), first, "{shell:?}");
    });
}

#[test]
fn options_that_nobody_declared_are_refused() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "exec sleep 600", |c| {
            c.parameters =
                vec![Parameter { name: "port".into(), default: None, description: "the TCP port".into() }];
        });
        for (options, message) in [
            (&["--port=1", "--prot=1"][..], "unknown option: --prot=1"),
            (&[], "--port is missing"),
            (&["--port=1", "--coordinate=a.b"], "is not instance.service.user.cell"),
            (&["--port=1", "--coordinate=1.a.b.c.d"], "more than four parts"),
            (&["--port=1", "--runtime-dir="], "--runtime-dir is missing"),
        ] {
            let ran = package.start(options);
            assert_eq!(exit_of(&ran), 2, "{shell:?} {options:?}");
            assert!(says(&ran).contains(message), "{}", says(&ran));
            assert!(says(&ran).contains("  --port=VALUE  the TCP port"), "{}", says(&ran));
        }
        assert_eq!(exit_of(&package.start(&["--help"])), 0);
        assert!(!package.runtime().exists());
    });
}

#[test]
fn parameters_and_variables_reach_the_service_untouched() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "printf '<%s>\\n' \"$@\" \"$GREETING\"; exec sleep 600", |c| {
            c.exec = "GREETING=$PARAM_TEXT bin/server $PARAM_TEXT $RUNTIME_DIR/x $SOFTWARE_DIR $INSTANCE \
                      $SERVICE $USER_NAME $CELL '$CELL'"
                .into();
            c.parameters = vec![Parameter {
                name: "text".into(),
                default: Some("*".into()),
                description: String::new(),
            }];
            c.settle_milliseconds = 1_000;
        });
        let text = "a 'b' \"c\" $(touch x) `d` \\ * ü=";
        assert_eq!(exit_of(&package.start(&[&format!("--text={text}")])), 0);
        let expected = format!(
            "<{text}>\n<{}/x>\n<{}>\n<1>\n<web>\n<dev>\n<local>\n<$CELL>\n<{text}>\n",
            package.runtime().display(),
            package.software().display()
        );
        assert_eq!(package.read("log/console.log"), expected, "{shell:?}");
    });
}

#[test]
fn the_package_is_found_through_links_and_relative_paths() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "exec sleep 600", |_| {});
        let links = package.root.path().join("links");
        fs::create_dir(&links).unwrap();
        symlink(package.software().join("script.d/start"), links.join("one")).unwrap();
        symlink("one", links.join("two")).unwrap();
        for (directory, script) in [(&links, "two"), (&package.software(), "./script.d/start")] {
            let ran = Command::new(shell[0])
                .args(&shell[1..])
                .arg(script)
                .args(["--runtime-dir=../run", "--coordinate=1.a.b.c"])
                .current_dir(directory)
                .output()
                .unwrap();
            assert_eq!(exit_of(&ran), 0, "{shell:?}: {}", says(&ran));
            let stopped = package.stop_there(&directory.parent().unwrap().join("run"));
            assert_eq!(exit_of(&stopped), 0, "{shell:?}: {}", says(&stopped));
        }
    });
}

#[test]
fn a_recorded_pid_that_is_another_process_now_is_never_signalled() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "exec sleep 600", |_| {});
        let mut innocent = Command::new("sleep").arg("600").spawn().unwrap();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        fs::create_dir_all(package.runtime().join("run")).unwrap();
        for stat in [format!("{} 1 {boot}", innocent.id()), String::new(), "garbage\n".into()] {
            fs::write(package.runtime().join("run/start.pid"), format!("{}\n", innocent.id())).unwrap();
            fs::write(package.runtime().join("run/start.stat"), stat).unwrap();
            let stopped = package.stop();
            assert_eq!(exit_of(&stopped), 0, "{shell:?}: {}", says(&stopped));
            assert!(!package.runtime().join("run/start.pid").exists());
        }
        assert!(is_alive(innocent.id()), "{shell:?}");
        innocent.kill().unwrap();
        innocent.wait().unwrap();
    });
}

#[test]
fn a_service_that_ignores_the_signal_makes_stop_fail() {
    in_each_shell(|shell| {
        let server = "trap '' TERM; while :; do sleep 600; done";
        let package = Package::new(shell, server, |c| {
            c.stop_timeout_seconds = 2;
            c.settle_milliseconds = 1_000;
        });
        assert_eq!(exit_of(&package.start(&[])), 0);
        let stopped = package.stop();
        assert_eq!(exit_of(&stopped), 1, "{shell:?}");
        assert!(says(&stopped).contains("still running 1 s after TERM"), "{}", says(&stopped));
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "", |c| c.exec = "bin/sever".into());
        let ran = package.start(&[]);
        assert_eq!(exit_of(&ran), 1);
        assert!(says(&ran).contains("bin/sever: it is not there or not executable"), "{}", says(&ran));
        let package = Package::new(shell, "", |c| c.exec = "no-such-program-here".into());
        assert!(says(&package.start(&[])).contains("no such program in PATH"), "{shell:?}");
    });
}

#[test]
fn nothing_is_left_of_the_terminal() {
    in_each_shell(|shell| {
        let package = Package::new(shell, "exec sleep 600", |c| {
            c.output = Output::Console;
            c.settle_milliseconds = 1_000;
        });
        // The output of the script is a pipe: it must be free when the script has ended.
        assert_eq!(exit_of(&package.start(&[])), 0);
        let [pid] = package.recorded()[..] else { panic!("{shell:?}") };
        let target = |fd: u32| fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
        assert_eq!(target(0), Path::new("/dev/null"));
        assert_eq!(target(1), package.runtime().join("console/console.log"));
        assert_eq!(target(2), target(1));
    });
}
