//! The sandbox: whatever a script does, the machine stays as it was; and a build without a sandbox is one that asked for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_skip::skip;
use workshop::{CONTENT, Workshop, names};

const FILE: &str = "notes-1.0.0-any.copkg";
const KINDS: [&str; 3] = ["bubblewrap", "namespaces", "landlock"];

/// A recipe whose notes are what the given build script writes.
fn scripted(build: &str) -> Workshop {
    let workshop = Workshop::new();
    workshop.write("package.toml", format!("{CONTENT}\n[build]\nbuild = '''\n{build}\n'''\n"));
    workshop
}

/// The kinds that work on this machine; what does not is said.
fn kinds() -> Vec<&'static str> {
    let workshop = scripted("echo x >notes.txt");
    let works = |kind: &&str| {
        let said = workshop.run(&["build", "--no-cache", "--sandbox", kind]);
        if said.code != 0 {
            assert!(said.err.contains("nothing here keeps the scripts"), "{said:?}");
            skip(&format!("the sandbox {kind}"), said.err.lines().next().unwrap_or_default());
        }
        said.code == 0
    };
    KINDS.into_iter().filter(works).collect()
}

/// The directories of the machine that this process may write to, among those that a script could reach.
fn writable() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> =
        fs::read_dir("/").unwrap().map(|entry| entry.unwrap().path()).collect();
    directories.extend(["/usr/bin", "/usr/lib", "/usr/local/bin", "/var/tmp", "/var/lib"].map(PathBuf::from));
    directories.push(env!("CARGO_TARGET_TMPDIR").into());
    directories.extend(std::env::var_os("HOME").map(PathBuf::from));
    // These are the script's own: an empty one in memory, or one process of many.
    let own = ["/dev", "/proc", "/tmp"].map(Path::new);
    directories.retain(|path| path.is_dir() && !own.contains(&path.as_path()));
    directories.retain(|path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok());
    directories
}

/// A script that tries to write to each directory, and to change its mode, and notes where it could.
fn attack(directories: &[PathBuf], mark: &str) -> String {
    let list: Vec<String> = directories.iter().map(|path| format!("'{}'", path.display())).collect();
    format!(
        ": >notes.txt\nfor d in {}; do\n  if (echo x >\"$d/{mark}\") 2>/dev/null; then echo \"wrote $d\" >>notes.txt; rm -f \"$d/{mark}\"; fi\n  \
         if mkdir \"$d/{mark}\" 2>/dev/null; then echo \"made $d\" >>notes.txt; rmdir \"$d/{mark}\"; fi\n  \
         if touch -c -r \"$d\" \"$d\" 2>/dev/null; then echo \"dated $d\" >>notes.txt; fi\ndone\necho end >>notes.txt",
        list.join(" ")
    )
}

fn notes(workshop: &Workshop, kind: &str) -> String {
    let said = workshop.works(&["build", "--no-cache", "--keep-work", "--sandbox", kind]);
    let kept = said.err.lines().find_map(|line| line.strip_prefix("the work is kept in DIR/")).unwrap();
    let name = names(&workshop.path("tmp")).into_iter().find(|name| name.starts_with("pkgbuild-"));
    assert!(kept.starts_with("tmp/"), "{said:?}");
    let work = workshop.path("tmp").join(name.unwrap());
    let text = fs::read_to_string(work.join("source/notes.txt")).unwrap();
    fs::remove_dir_all(work).unwrap();
    text
}

#[test]
fn no_directory_of_the_machine_is_writable_in_any_sandbox() {
    let directories = writable();
    let workshop = scripted(&attack(&directories, &format!("copkg-test-{}", std::process::id())));
    for kind in kinds() {
        assert_eq!(notes(&workshop, kind), "end\n", "{kind}");
    }
    // Without a sandbox the same script would have written: what was seen is the sandbox's work.
    assert!(!directories.is_empty());
}

#[test]
fn a_file_system_that_is_mounted_below_is_read_only_as_well() {
    let workshop = Workshop::new();
    // Not below /tmp, of which a script sees one of its own.
    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    let place = place.path().display();
    let attack = format!(
        "(echo x >{place}/x) 2>/dev/null && echo written >notes.txt || echo refused >notes.txt; ls {place} >>notes.txt"
    );
    workshop.write("package.toml", format!("{CONTENT}\n[build]\nbuild = '''\n{attack}\n'''\n[[tests]]\nname = \"it\"\nrun = '''\n[ \"$(cat \"$COPKG_SOFTWARE/notes.txt\")\" = \"refused\nthere\" ]\n'''\n"));
    let mounted = format!("mount -t tmpfs tmpfs {place} && touch {place}/there && exec \"$@\"");
    for kind in kinds() {
        let mut command = Command::new("unshare");
        let users: &[&str] =
            if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
        command.args(users).args(["--mount", "sh", "-c", &mounted, "sh"]);
        let pkgbuild = workshop.command(&["build", "--no-cache", "--sandbox", kind]);
        command.arg(pkgbuild.get_program()).args(pkgbuild.get_args()).current_dir(workshop.path(""));
        command.env_clear().envs(pkgbuild.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let said = workshop.say(&command.output().unwrap());
        if said.err.contains("unshare:") || said.err.contains("mount:") {
            return skip("a file system that is mounted", &said.err);
        }
        assert_eq!(said.code, 0, "{kind}: {said:?}");
    }
}

#[test]
fn a_makefile_that_ignores_destdir_leaves_the_machine_alone_and_no_package() {
    let target = Path::new("/usr/local/bin").join(format!("copkg-test-{}", std::process::id()));
    let workshop = Workshop::new();
    let makefile = format!("install:\n\tinstall -m 755 tool {}\n", target.display());
    workshop.write("Makefile", makefile);
    workshop.write("tool", "#!/bin/sh\n");
    workshop.write(
        "package.toml",
        format!(
            "{}\n[build]\ninstall = 'make install DESTDIR=\"$COPKG_DESTDIR\"'\n",
            CONTENT.split("[[contents]]").next().unwrap()
        ),
    );
    for kind in kinds() {
        let said = workshop.fails(&["build", "--sandbox", kind]);
        assert!(said.contains("error: the script \"install\" failed"), "{kind}: {said}");
        assert!(!target.exists() && !workshop.path(FILE).exists(), "{kind}");
    }
}

#[test]
fn an_install_script_that_installs_nothing_is_an_error_that_names_destdir() {
    let workshop = Workshop::new();
    let recipe = CONTENT.split("[[contents]]").next().unwrap();
    workshop.write("package.toml", format!("{recipe}\n[build]\ninstall = 'mkdir -p elsewhere'\n"));
    insta::assert_snapshot!(workshop.fails(&["build"]));
}

#[test]
fn a_package_without_a_file_is_an_error() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("empty")).unwrap();
    workshop.write("package.toml", CONTENT.replace("notes.txt", "empty"));
    insta::assert_snapshot!(workshop.fails(&["build"]));
}

#[test]
fn every_sandbox_makes_the_same_package() {
    let workshop =
        scripted("id -u >notes.txt; umask >>notes.txt; mv notes.txt x; mkdir d; ln x d/y; mv d/y notes.txt");
    let mut packages = Vec::new();
    for kind in kinds() {
        workshop.works(&["build", "--no-cache", "--sandbox", kind]);
        packages.push((kind, fs::read(workshop.path(FILE)).unwrap()));
    }
    for (kind, package) in &packages {
        // A user who is not root stays who he is under Landlock.
        if *kind != "landlock" || rustix::process::geteuid().is_root() {
            assert!(*package == packages[0].1, "{kind} and {}", packages[0].0);
        }
    }
}

#[test]
fn root_without_a_sandbox_is_told_what_it_risks() {
    let workshop = scripted("echo x >notes.txt");
    let said = workshop.works(&["build", "--sandbox", "none"]);
    let risk = if rustix::process::geteuid().is_root() {
        "warning: sandbox: none: the scripts of this recipe run as root, and can change and delete everything on this machine"
    } else {
        "warning: sandbox: none: the scripts of this recipe can change and delete everything that you can"
    };
    assert!(said.err.contains(risk), "{said:?}");
    assert!(!workshop.works(&["build", "--no-cache"]).err.contains("none:"));
}

#[test]
fn a_script_in_a_sandbox_gets_no_rights_back() {
    let commands = [
        "mount -o remount,bind,rw /usr",
        "unshare --user --map-root-user --mount mount -o remount,bind,rw /usr",
        "mount -t tmpfs tmpfs /usr",
    ];
    let tries: Vec<String> = commands
        .iter()
        .map(|command| format!("if {command} 2>/dev/null; then echo '{command}' >>notes.txt; fi"))
        .collect();
    let workshop = scripted(&format!(": >notes.txt\n{}\necho end >>notes.txt", tries.join("\n")));
    for kind in kinds() {
        assert_eq!(notes(&workshop, kind), "end\n", "{kind}");
    }
}
