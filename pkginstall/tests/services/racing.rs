//! An account that swaps what lies in its runtime directory for links, again and again, while root's commands run: whatever they do or
//! refuse, nothing behind the links is opened for writing, made, changed, given away, moved or removed.

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use copkg_spec::configuration::{SettingKind, SettingValue};
use copkg_spec::manifest::{Health, Template};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::scene::{Host, Package, SERVICE, setting};

/// The account of the service, and of whoever swaps.
const ACCOUNT: &str = "nobody";

const NEXT: &str = "com.example:web:2.0";

/// What a link is put in the place of.
#[derive(Debug, Clone, Copy)]
enum Swapped {
    /// A directory: the link leads to one with files of the same names.
    Directory,
    /// A file: the link leads to the file of the same name.
    File,
}

use Swapped::{Directory, File};

/// A place that root's commands reach, and the commands that do.
type Place = (&'static str, Swapped, &'static [&'static str]);

/// The output of the service, and of its scripts.
const OUTPUT: [Place; 8] = [
    ("log", Directory, &["restart", "check", "rotate", "rollback", "upgrade"]),
    ("log/console.log", File, &["restart", "rotate", "stop", "start"]),
    ("log/hooks", Directory, &["check", "rollback", "upgrade"]),
    ("log/hooks/check.log", File, &["check"]),
    ("log/hooks/migrate.log", File, &["rollback", "upgrade"]),
    ("log/hooks/admit.log", File, &["rollback", "upgrade"]),
    ("console", Directory, &["rotate", "restart"]),
    ("console/app.log", File, &["rotate"]),
];

/// Which processes it is.
const PROCESSES: [Place; 3] = [
    ("run", Directory, &["restart", "stop", "start", "rollback", "upgrade"]),
    ("run/start.pid", File, &["restart", "stop", "start"]),
    ("run/start.json", File, &["restart", "stop", "start"]),
];

/// What is rendered, and read for its variables.
const CONFIGURATION: [Place; 2] = [
    ("etc", Directory, &["configure", "restart", "rollback", "upgrade"]),
    ("etc/web.env", File, &["configure", "restart", "rollback", "upgrade"]),
];

/// What it stores: copied, set aside, put back; and a directory that its recipe names.
const DATA: [Place; 3] = [
    ("data", Directory, &["rollback", "upgrade", "rehearse"]),
    ("data/sub", Directory, &["rollback", "upgrade", "rehearse"]),
    ("spool", Directory, &["restart", "rollback", "upgrade"]),
];

fn package(version: &str) -> Package {
    let script = "#!/bin/sh\necho said\n";
    let server = format!(
        "#!/bin/sh\n[ -e data/sub ] || mkdir data/sub\necho {version} >data/sub/x\nmkdir -p console\necho begun >>console/app.log\n\
         exec sleep 600\n"
    );
    Package::serving(&server)
        .with("script.d/check", script)
        .with("script.d/migrate", script)
        .with("script.d/admit", script)
        .with("etc/web.env.j2", "MOTTO={{ config.motto }}\n")
        .that(|service| {
            service.user = Some(ACCOUNT.into());
            service.settle_milliseconds = 20;
            service.start_timeout_seconds = 2;
            service.health = Some(Health {
                healthy_milliseconds: 50,
                interval_milliseconds: 20,
                deadline_milliseconds: 2000,
                ..Health::default()
            });
            service.stop_timeout_seconds = 1;
            service.check = Some("script.d/check".parse().unwrap());
            service.migrate = Some("script.d/migrate".parse().unwrap());
            service.admit = Some("script.d/admit".parse().unwrap());
            service.directories = vec!["spool".parse().unwrap()];
            let motto = setting(SettingKind::String, Some(SettingValue::Text("none".into())));
            service.config.insert("motto".parse().unwrap(), motto);
            let (src, dst) = ("etc/web.env.j2".parse().unwrap(), "web.env".parse().unwrap());
            service.templates = vec![Template { src, dst }];
            service.conditions.env_file = Some(vec!["-etc/web.env".parse().unwrap()]);
        })
}

/// What must stay as it is, with names that the commands look for.
struct Treasure {
    path: PathBuf,
    before: Vec<String>,
    watch: OwnedFd,
}

impl Treasure {
    fn bury(host: &Host) -> Self {
        let path = host.root().join("treasure").into_std_path_buf();
        for name in [
            "console.log",
            "app.log",
            "check.log",
            "migrate.log",
            "admit.log",
            "start.pid",
            "start.stat",
            "start.json",
            "web.env",
            "x",
            "hooks/check.log",
            "hooks/migrate.log",
            "hooks/admit.log",
            "sub/x",
            "tmp/x",
        ] {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            // Some of them are read for numbers, and some for variables.
            fs::write(&file, "1\n").unwrap();
        }
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE;
        for directory in ["", "hooks", "sub", "tmp"] {
            inotify::add_watch(&watch, path.join(directory), flags).unwrap();
        }
        let before = state(&path);
        Self { path, before, watch }
    }

    fn target(&self, place: &str, swapped: Swapped) -> PathBuf {
        match swapped {
            Directory => self.path.clone(),
            File => self.path.join(Path::new(place).file_name().unwrap()),
        }
    }

    #[track_caller]
    fn assert_untouched(&self, moment: &str) {
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        let seen = match Reader::new(&self.watch, &mut buffer).next() {
            Ok(event) => Some(format!("{:?} {:?}", event.events(), event.file_name())),
            Err(Errno::WOULDBLOCK) => None,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(seen, None, "{moment}: somebody was at what lies behind the link");
        assert_eq!(state(&self.path), self.before, "{moment}");
    }
}

/// Everything that a change leaves a mark in.
fn state(path: &Path) -> Vec<String> {
    let about = path.symlink_metadata().unwrap();
    let content = if about.is_file() { fs::read(path).unwrap() } else { Vec::new() };
    let (changed, nanoseconds) = (about.ctime(), about.ctime_nsec());
    let marks = (about.mode(), about.uid(), about.gid(), about.nlink(), about.ino());
    let mut all = vec![format!("{path:?} {marks:?} {changed}.{nanoseconds} {content:?}")];
    if about.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        all.extend(entries.iter().flat_map(|entry| state(entry)));
    }
    all
}

/// Swaps a place and a link to a target, as the account.
struct Swapper {
    place: PathBuf,
    link: PathBuf,
    stop: Arc<AtomicBool>,
    swaps: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Swapper {
    fn begin(place: PathBuf, target: PathBuf, account: (u32, u32)) -> Self {
        let link = place.with_file_name(format!("{}.other", place.file_name().unwrap().to_str().unwrap()));
        let (stop, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&swaps));
        let (here, there) = (place.clone(), link.clone());
        let thread = std::thread::spawn(move || {
            let (user, group) = (Uid::from_raw(account.0), Gid::from_raw(account.1));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(group, group, group).unwrap();
            set_thread_res_uid(user, user, user).unwrap();
            while !stopped.load(Ordering::SeqCst) {
                // A file that was written anew has taken the place of the link.
                if !here.is_symlink() && !there.is_symlink() {
                    let _ = fs::remove_file(&there);
                    let _ = symlink(&target, &there);
                }
                let swapped = renameat_with(CWD, &here, CWD, &there, RenameFlags::EXCHANGE);
                count.fetch_add(u64::from(swapped.is_ok()), Ordering::SeqCst);
            }
        });
        Self { place, link, stop, swaps, thread: Some(thread) }
    }

    /// Ends, with the real thing in its place. Returns how often it swapped.
    fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
        if self.place.is_symlink() {
            if self.link.exists() && !self.link.is_symlink() {
                fs::rename(&self.link, &self.place)
                    .or_else(|_| {
                        fs::remove_file(&self.place).and_then(|()| fs::rename(&self.link, &self.place))
                    })
                    .unwrap();
            } else {
                fs::remove_file(&self.place).unwrap();
            }
        }
        if self.link.is_symlink() {
            fs::remove_file(&self.link).unwrap();
        }
        self.swaps.load(Ordering::SeqCst)
    }
}

fn account() -> (u32, u32) {
    let number = |what: &str| {
        let said = std::process::Command::new("id").args([what, ACCOUNT]).output().unwrap().stdout;
        String::from_utf8(said).unwrap().trim().parse().unwrap()
    };
    (number("-u"), number("-g"))
}

/// How often the commands of a place are run; more with `COPKG_RACES`.
fn rounds() -> usize {
    std::env::var("COPKG_RACES").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

fn act(host: &Host, act: &str, round: usize) -> i32 {
    let motto = format!("motto={round}");
    let words: &[&str] = match act {
        "rotate" => &["logs", SERVICE, "--rotate"],
        "configure" => {
            host.run(&["config", "set", SERVICE, &motto]).ok();
            &["config", "apply", SERVICE]
        }
        "upgrade" => &["upgrade", SERVICE, "--to", "2.0"],
        "rollback" => &["rollback", SERVICE, "--restore-data"],
        "rehearse" => &["rehearse", SERVICE, "--to", "3.0"],
        "start" => &["start", SERVICE],
        other => &[other, SERVICE],
    };
    host.run(words).exit
}

fn race(places: &[Place]) {
    if !rustix::process::geteuid().is_root() {
        return copkg_skip::skip(
            "an account that races root",
            "only root has something to lose to another account",
        );
    }
    let host = Host::with(package("1.0"));
    host.install(NEXT, &package("2.0"));
    host.install("com.example:web:3.0", &package("3.0"));
    host.start().ok();
    host.run(&["check", SERVICE]).ok();
    host.run(&["upgrade", SERVICE, "--to", "2.0"]).ok();
    let treasure = Treasure::bury(&host);
    for (place, swapped, acts) in places {
        let mut swaps = 0;
        for round in 0..rounds() {
            for one in *acts {
                let path = host.runtime().join(place).into_std_path_buf();
                let swapper = Swapper::begin(path, treasure.target(place, *swapped), account());
                act(&host, one, round);
                swaps += swapper.end();
                treasure.assert_untouched(&format!("{place}: {one}"));
                host.run(&["recover"]);
            }
        }
        assert!(swaps > 20, "{place} was swapped {swaps} times only");
        // Whatever was refused, the service can be had again.
        host.run(&["stop", SERVICE]).ok();
        host.run(&["start", SERVICE]).ok();
        if host.status().json()["services"][0]["package"] != NEXT {
            host.run(&["upgrade", SERVICE, "--to", "2.0"]).ok();
        }
        treasure.assert_untouched(place);
    }
    host.run(&["stop", SERVICE]).ok();
    host.assert_nothing_left();
}

#[test]
fn output_goes_through_no_link_that_a_racing_account_puts_there() {
    race(&OUTPUT);
}

#[test]
fn what_names_the_processes_goes_through_no_link_that_a_racing_account_puts_there() {
    race(&PROCESSES);
}

#[test]
fn configuration_goes_through_no_link_that_a_racing_account_puts_there() {
    race(&CONFIGURATION);
}

#[test]
fn data_goes_through_no_link_that_a_racing_account_puts_there() {
    race(&DATA);
}

#[test]
fn a_writer_that_follows_the_links_would_be_noticed() {
    if !rustix::process::geteuid().is_root() {
        return copkg_skip::skip(
            "an account that races root",
            "only root has something to lose to another account",
        );
    }
    let host = Host::with(package("1.0"));
    host.start().ok();
    let treasure = Treasure::bury(&host);
    let place = host.runtime().join("log").into_std_path_buf();
    let swapper = Swapper::begin(place.clone(), treasure.target("log", Directory), account());
    let is_noticed = || std::panic::catch_unwind(|| treasure.assert_untouched("on purpose")).is_err();
    super::scene::eventually("somebody who opens by path is noticed", || {
        for _ in 0..100 {
            drop(fs::File::options().append(true).open(place.join("console.log")));
        }
        is_noticed()
    });
    swapper.end();
    host.stop().ok();
}
