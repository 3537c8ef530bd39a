//! The same tree, recipe and date give the same bytes: in any directory, for any user, umask, time zone and number of
//! threads, with a sandbox and without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use workshop::Workshop;

const RECIPE: &str = r#"
[package]
group = "com.example"
id = "tree"
version = "1.0.0"

[build]
build = '''
mkdir -p out/deep/er
for n in 1 2 3 4 5 6 7 8 9; do seq 1 ${n}0000 >out/deep/$n; done
touch out/empty
ln -s deep/1 out/link
chmod 664 out/deep/1
date -d "@$SOURCE_DATE_EPOCH" >out/date
ls -l out | tail -n +2 | cut -c1-10 >modes
mv modes out/modes
umask >out/umask
'''

[[contents]]
src = "out"

[[contents]]
src = "bin"

[service]
exec = "bin/run"
"#;

/// Builds in a directory of its own, and returns the bytes of the package.
fn build(name: &str, arguments: &[&str], set: impl FnOnce(&mut std::process::Command)) -> Vec<u8> {
    let workshop = Workshop::new();
    workshop.write(&format!("{name}/package.toml"), RECIPE);
    workshop.program(&format!("{name}/bin/run"), "#!/bin/sh\nexec sleep 1000\n");
    open_to_all(&workshop.path(""));
    let all = [&["build", name, "--out", "out", "--source-date", "1700000000"], arguments].concat();
    let mut command = workshop.command(&all);
    set(&mut command);
    let said = workshop.say(&command.output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    fs::read(workshop.path("out/tree-1.0.0-any.copkg")).unwrap()
}

/// So that another user can build there.
fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for path in [directory.to_owned(), directory.join("tmp")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
}

fn with_umask(umask: &str, command: &mut std::process::Command) {
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let mut wrapped = std::process::Command::new("sh");
    wrapped.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(program).args(arguments);
    wrapped.env_clear().envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    wrapped.current_dir(command.get_current_dir().unwrap());
    *command = wrapped;
}

#[test]
fn nothing_around_a_build_changes_its_bytes() {
    let first = build("one", &["--threads", "1"], |_| ());
    let same = |what: &str, bytes: Vec<u8>| assert!(bytes == first, "{what} changes the bytes");
    same("the directory", build("a rather different näme", &["--threads", "1"], |_| ()));
    same("the number of threads", build("one", &["--threads", "7"], |_| ()));
    same(
        "the time zone",
        build("one", &[], |command| {
            command.env("TZ", "Pacific/Auckland").env("LANG", "tr_TR.UTF-8");
        }),
    );
    same("the umask", build("one", &[], |command| with_umask("077", command)));
    same("an open umask", build("one", &[], |command| with_umask("000", command)));
    same(
        "the lack of tools",
        build("one", &[], |command| {
            command.env("PATH", "/nowhere");
        }),
    );
    if rustix::process::geteuid().is_root() {
        same(
            "the user",
            build("one", &[], |command| {
                command.uid(65534).gid(65534);
            }),
        );
    } else {
        copkg_skip::skip("a build by another user", "only root can become one");
    }
}

#[test]
fn the_date_and_the_level_are_part_of_the_bytes() {
    let first = build("one", &[], |_| ());
    assert!(build("one", &["--level", "3"], |_| ()) != first);
}
