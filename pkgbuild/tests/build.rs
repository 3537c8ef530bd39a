//! Builds: what scripts get to see, where sources come from, what is left when something fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use workshop::{CONTENT, Workshop, names, tool};

const FILE: &str = "notes-1.0.0-any.copkg";

/// A recipe whose notes are what the given build script writes.
fn scripted(build: &str) -> Workshop {
    let workshop = Workshop::new();
    workshop.write("package.toml", format!("{CONTENT}\n[build]\n{build}"));
    workshop
}

/// The content of a file of the package, as tar sees it.
fn content(workshop: &Workshop, entry: &str) -> String {
    let directory = workshop.path("");
    tool(&directory, "tar", &["-xf", FILE, "payload.tar.zst"]);
    let tar = zstd::decode_all(fs::File::open(workshop.path("payload.tar.zst")).unwrap()).unwrap();
    workshop.write("payload.tar", tar);
    tool(&directory, "tar", &["-xOf", "payload.tar", entry])
}

#[test]
fn a_build_says_where_the_package_is_and_leaves_nothing_else() {
    let workshop = Workshop::with_notes();
    let said = workshop.works(&["build"]);
    insta::assert_snapshot!(format!("{}---\n{}", said.out, said.err));
    assert_eq!(names(&workshop.path("")), ["notes-1.0.0-any.copkg", "notes.txt", "package.toml", "tmp"]);
    assert!(workshop.is_clean());
}

#[test]
fn the_json_document_has_what_a_release_script_needs() {
    let workshop = Workshop::with_notes();
    let output = workshop.command(&["build", "--json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    let expected = [
        "changed",
        "counts",
        "digest",
        "file",
        "file_sha256",
        "length",
        "package",
        "platform",
        "schema_version",
        "signers",
        "source_date",
    ];
    assert_eq!(keys, expected);
    assert_eq!(document["length"], fs::metadata(workshop.path(FILE)).unwrap().len());
}

#[test]
fn a_dry_run_says_what_it_would_do_and_runs_nothing() {
    let workshop = scripted("build = 'touch /tmp/should-not-be && exit 1'\n");
    insta::assert_snapshot!(workshop.works(&["build", "--dry-run", "--out", "dist"]).out);
    assert!(!workshop.path("dist").exists());
}

#[test]
fn a_failing_script_shows_the_end_of_its_output_and_leaves_nothing() {
    let workshop = scripted("build = '''\necho compiling\nfalse\necho never\n'''\n");
    insta::assert_snapshot!(workshop.fails(&["build"]));
    assert!(!workshop.path(FILE).exists());
    assert!(workshop.is_clean());
}

#[test]
fn verbose_shows_all_output_as_it_comes() {
    let workshop = scripted("build = 'echo one; echo two >&2; echo x >notes.txt'\n");
    let said = workshop.works(&["build", "-v"]);
    assert!(said.err.contains("one\ntwo\n"), "{said:?}");
    assert!(!workshop.works(&["build"]).err.contains("one\ntwo"));
}

#[test]
fn a_script_past_its_deadline_is_killed_with_all_its_children() {
    let workshop =
        scripted("timeout = \"1s\"\nsandbox = \"none\"\nbuild = '''\nsleep 1000 &\necho $! >&2\nwait\n'''\n");
    let begun = Instant::now();
    let said = workshop.run(&["build"]);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(said.err.contains("it took longer than 1 s"), "{said:?}");
    let pid = said.err.lines().find_map(|line| line.trim_start_matches([' ', '|']).parse().ok()).unwrap();
    assert_ends(pid);
}

/// A process that was killed is gone as soon as the kernel gets to it, which may be a moment later.
fn assert_ends(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else { return };
    let mut polled = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut polled, Some(&patience)).unwrap(), 1, "it lives on");
}

#[test]
fn what_a_script_leaves_running_is_killed_when_it_ends() {
    let workshop = scripted("sandbox = \"none\"\nbuild = 'sleep 1000 & echo $! >notes.txt'\n");
    workshop.works(&["build"]);
    assert_ends(content(&workshop, "notes.txt").trim().parse().unwrap());
}

#[test]
fn an_interrupted_build_leaves_neither_processes_nor_files() {
    let build = "[build]\nsandbox = \"none\"\nbuild = 'sleep 1000 & echo $! >../../../ready; wait'\n";
    let workshop = Workshop::new();
    workshop.write("one/package.toml", format!("{CONTENT}\n{build}"));
    tool(&workshop.path(""), "mkfifo", &["ready"]);
    let mut build = workshop.command(&["build", "one"]).spawn().unwrap();
    // Opening waits for the script.
    let pid = fs::read_to_string(workshop.path("ready")).unwrap().trim().parse().unwrap();
    let pkgbuild = rustix::process::Pid::from_child(&build);
    rustix::process::kill_process(pkgbuild, rustix::process::Signal::INT).unwrap();
    assert!(build.wait().unwrap().code().is_none(), "it ends by the signal");
    assert_ends(pid);
    assert!(workshop.is_clean());
}

#[test]
fn scripts_see_a_clean_environment() {
    let workshop = scripted(
        "env = { CFLAGS = \"-O2\" }\ninherit_env = [\"CHOSEN\"]\nbuild = 'umask >notes.txt; env | sort | grep -v ^PWD= | grep -v ^_= >>notes.txt'\n[lint]\nallow = [{ rule = \"build-prefix\", reason = \"It shows the environment.\" }]\n",
    );
    let mut command = workshop.command(&["build", "--threads", "3"]);
    command.envs([("SECRET", "x"), ("CHOSEN", "yes"), ("TZ", "Asia/Tokyo"), ("LANG", "de_DE")]);
    command.env("SOURCE_DATE_EPOCH", "1700000000");
    assert!(command.status().unwrap().success());
    let seen = content(&workshop, "notes.txt");
    let places = ["HOME", "TMPDIR", "COPKG_SOURCE", "COPKG_DESTDIR"];
    let lines = seen.lines().map(|line| match line.split_once('=') {
        Some((name, _)) if places.contains(&name) => format!("{name}=…"),
        _ => line.to_owned(),
    });
    insta::assert_snapshot!(lines.filter(|line| !line.starts_with("SHLVL")).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_network_is_closed_unless_the_recipe_opens_it() {
    let interfaces = "build = 'cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d \" \" | grep -v \"^lo$\" >notes.txt || :'\n";
    let workshop = scripted(interfaces);
    let said = workshop.works(&["build"]);
    if said.err.contains("and with network") {
        copkg_skip::skip("a closed network", "this machine lets nobody make a network namespace");
    } else {
        assert_eq!(content(&workshop, "notes.txt"), "");
    }
}

#[test]
fn a_recipe_that_insists_on_bubblewrap_fails_without_it() {
    let workshop = scripted("sandbox = \"bubblewrap\"\nbuild = 'true'\n");
    let mut command = workshop.command(&["build"]);
    let said = workshop.say(&command.env("PATH", "/nowhere").output().unwrap());
    insta::assert_snapshot!(said.err);
    assert_eq!(said.code, 1);
}

#[test]
fn the_tests_of_the_recipe_run_against_the_unpacked_package() {
    let test = "[[tests]]\nname = \"it is there\"\nrun = 'grep milk \"$COPKG_SOFTWARE/notes.txt\"'\n";
    let workshop = Workshop::with_notes();
    workshop.write("package.toml", format!("{CONTENT}\n{test}"));
    assert!(workshop.works(&["build"]).err.contains("test: it is there"));
    workshop.write("package.toml", format!("{CONTENT}\n{}", test.replace("milk", "cheese")));
    fs::remove_file(workshop.path(FILE)).unwrap();
    insta::assert_snapshot!(workshop.fails(&["build"]));
    assert!(!workshop.path(FILE).exists());
    workshop.works(&["build", "--no-tests"]);
}

#[test]
fn the_work_can_be_kept() {
    let workshop = scripted("build = 'echo x >notes.txt'\n");
    let said = workshop.works(&["build", "--keep-work"]);
    assert!(said.err.contains("the work is kept in DIR/tmp/pkgbuild-"), "{said:?}");
    let kept = names(&workshop.path("tmp"));
    assert!(workshop.path("tmp").join(&kept[0]).join("source/notes.txt").exists());
}

#[test]
fn sources_are_joined_patched_and_freed_of_what_is_left_out() {
    let workshop = Workshop::new();
    workshop.write("own/notes.txt", "buy milk\n");
    workshop.write("own/notes.log", "noise\n");
    workshop.write("fix.patch", "--- a/notes.txt\n+++ b/notes.txt\n@@ -1 +1 @@\n-buy milk\n+buy bread\n");
    workshop.write("lib/code.c", "int x;\n");
    tool(&workshop.path("lib"), "git", &["init", "--quiet"]);
    tool(&workshop.path("lib"), "git", &["add", "."]);
    tool(&workshop.path("lib"), "git", &["commit", "--quiet", "-m", "x"]);
    let commit = tool(&workshop.path("lib"), "git", &["rev-parse", "HEAD"]);
    let sources = format!(
        "[[source]]\npath = \"own\"\nexcludes = [\"*.log\"]\npatches = [\"fix.patch\"]\n\
         [[source]]\ngit = \"lib\"\ncommit = \"{commit}\"\ndst = \"vendor/lib\"\n\
         [build]\nprepare = 'find . -type f ! -name list.txt | sort >list.txt'\n[[contents]]\nsrc = \"list.txt\"\n"
    );
    workshop.write("package.toml", format!("{CONTENT}\n{sources}"));
    workshop.works(&["build"]);
    assert_eq!(content(&workshop, "notes.txt"), "buy bread");
    assert_eq!(content(&workshop, "list.txt"), "./notes.txt\n./vendor/lib/code.c");
    // The date is that of the commit, and the package can be built again from what it records.
    assert!(workshop.works(&["inspect", FILE]).out.contains("source date    1700000000"));
    workshop.works(&["rebuild", FILE]);
}

#[test]
fn a_source_that_is_not_there_is_reported() {
    let workshop = Workshop::with_notes();
    let with = |source: &str| {
        workshop.write("package.toml", format!("{CONTENT}\n[[source]]\n{source}\n[build]\nbuild = 'true'\n"));
        workshop.fails(&["build"])
    };
    insta::assert_snapshot!("no_path", with("path = \"nowhere\""));
    insta::assert_snapshot!("no_patch", with("path = \".\"\npatches = [\"nowhere.patch\"]"));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let said = with(&format!("git = \"nowhere\"\ncommit = \"{commit}\""));
    assert!(said.contains(&"error: cannot check out [40 hex] of nowhere".to_owned()), "{said}");
    workshop.write("bad.patch", "--- a/notes.txt\n+++ b/notes.txt\n@@ -1 +1 @@\n-no such line\n+x\n");
    let said = with("path = \".\"\npatches = [\"bad.patch\"]");
    assert!(said.contains("cannot apply the patch DIR/bad.patch"), "{said}");
}

/// Serves `body` to every request until the test ends, and returns its URL.
fn serve(body: &'static [u8], status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    format!("http://{address}/notes.txt")
}

#[test]
fn a_fetched_source_must_have_its_digest_and_is_fetched_once() {
    const MILK: &str = "b46be15dc54dfcd19d18cba9f59dec1d0d0ee5b2ea2f4a05b2a3bb8ef1a2db45";
    let workshop = Workshop::new();
    let url = serve(b"remember the milk\n", "200 OK");
    let digest = tool_digest(&workshop, b"remember the milk\n");
    let recipe = |digest: &str| format!("{CONTENT}\n[[source]]\nurl = \"{url}\"\nsha256 = \"{digest}\"\n");
    workshop.write("package.toml", recipe(MILK));
    let said = workshop.fails(&["build"]);
    assert!(said.starts_with("exit code 6") && said.contains("is not what the recipe says"), "{said}");
    workshop.write("package.toml", recipe(&digest));
    workshop.works(&["build"]);
    assert_eq!(content(&workshop, "notes.txt"), "remember the milk");
    // Another server that has nothing: the cache has it.
    let gone = serve(b"", "404 Not Found");
    workshop.write("package.toml", recipe(&digest).replace(&url, &gone));
    workshop.works(&["build"]);
    workshop.forget();
    let said = workshop.fails(&["build"]);
    assert!(said.starts_with("exit code 5") && said.contains("the server answers 404"), "{said}");
}

#[test]
fn a_fetched_archive_is_unpacked() {
    let workshop = Workshop::new();
    workshop.write("notes-2.0/notes.txt", "from an archive\n");
    tool(&workshop.path(""), "tar", &["-cf", "notes-2.0.tar", "notes-2.0"]);
    let digest = tool_digest(&workshop, &fs::read(workshop.path("notes-2.0.tar")).unwrap());
    let url = format!("file://{}", workshop.path("notes-2.0.tar").display());
    let source = format!("[[source]]\nurl = \"{url}\"\nsha256 = \"{digest}\"\nstrip = 1\n");
    workshop.write("package.toml", format!("{CONTENT}\n{source}"));
    workshop.works(&["build"]);
    assert_eq!(content(&workshop, "notes.txt"), "from an archive");
}

fn tool_digest(_: &Workshop, bytes: &[u8]) -> String {
    copkg_spec::digest::Digest::of(bytes).to_string()
}

#[test]
fn what_no_package_may_hold_is_refused_with_the_entry_and_the_rule() {
    let tree = CONTENT.replace("notes.txt", "tree");
    let refused = |name: &str, make: &dyn Fn(&Workshop)| {
        let workshop = Workshop::new();
        workshop.write("package.toml", &tree);
        workshop.write("tree/ordinary", "x");
        make(&workshop);
        let said = workshop.fails(&["build"]);
        assert!(!workshop.path(FILE).exists() && workshop.is_clean());
        format!("# {name}\n{said}\n")
    };
    let link = |target: &'static str| {
        move |workshop: &Workshop| std::os::unix::fs::symlink(target, workshop.path("tree/link")).unwrap()
    };
    let all = [
        refused("an absolute link", &link("/etc/passwd")),
        refused("a link that leaves", &link("../../etc/passwd")),
        refused("a link to itself", &link("link")),
        refused("a pipe", &|workshop| {
            tool(&workshop.path("tree"), "mkfifo", &["pipe"]);
        }),
        refused("a socket", &|workshop| drop(UnixListener::bind(workshop.path("tree/socket")).unwrap())),
        refused("a backslash", &|workshop| drop(workshop.write("tree/a\\b", "x"))),
        refused("a control character", &|workshop| drop(workshop.write("tree/a\nb", "x"))),
        refused("names equal after case folding", &|workshop| drop(workshop.write("tree/Ordinary", "x"))),
    ];
    insta::assert_snapshot!(all.concat());
}

#[test]
fn everything_that_no_package_may_hold_is_refused_at_once_with_its_link() {
    let workshop = Workshop::new();
    workshop.write("package.toml", CONTENT.replace("notes.txt", "tree"));
    workshop.write("tree/ordinary", "x");
    let link = |name: &str, target: &str| {
        std::os::unix::fs::symlink(target, workshop.path("tree").join(name)).unwrap();
    };
    link("awk", "/etc/alternatives/awk");
    link("pager", "/etc/alternatives/pager");
    link("outside", "../../etc/passwd");
    link("me", "me");
    link("fine", "ordinary");
    tool(&workshop.path("tree"), "mkfifo", &["pipe"]);
    workshop.write("tree/a\\b", "x");
    insta::assert_snapshot!(workshop.fails(&["build"]));
    let excludes = "excludes = [\"awk\", \"pager\", \"outside\", \"me\", \"pipe\", \"a*\"]\n";
    workshop.write("package.toml", CONTENT.replace("notes.txt\"", &format!("tree\"\n{excludes}")));
    workshop.works(&["build"]);
}

#[test]
fn hard_links_become_files_and_chains_of_links_direct_ones() {
    let workshop = Workshop::new();
    workshop.write("package.toml", CONTENT.replace("notes.txt", "tree"));
    workshop.write("tree/a", "same");
    fs::hard_link(workshop.path("tree/a"), workshop.path("tree/b")).unwrap();
    std::os::unix::fs::symlink("two", workshop.path("tree/one")).unwrap();
    std::os::unix::fs::symlink("./a", workshop.path("tree/two")).unwrap();
    workshop.works(&["build"]);
    let said = workshop.works(&["inspect", FILE, "--files"]).out;
    let (_, list) = said.split_once("\n\n").unwrap();
    insta::assert_snapshot!(list);
}

#[test]
fn parts_that_are_missing_or_meet_are_reported() {
    let workshop = Workshop::with_notes();
    let with = |contents: &str| {
        workshop.write("package.toml", format!("{CONTENT}\n{contents}"));
        workshop.fails(&["build"])
    };
    let all = [
        with("[[contents]]\nsrc = \"nowhere\""),
        with("[[contents]]\nsrc = \"package.toml\"\ndst = \"notes.txt\""),
        with("[[contents]]\nsrc = \"notes.txt\"\ntype = \"tree\"\ndst = \"x\""),
        with("[[contents]]\nsrc = \"tmp\"\ntype = \"file\""),
        with("[[contents]]\nsrc = \"tmp\"\n[[source]]\npath = \".\"\nexcludes = [\"tmp\"]"),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_platform_that_the_recipe_does_not_have_is_refused() {
    let workshop = Workshop::with_notes();
    insta::assert_snapshot!("platform", workshop.fails(&["build", "--platform", "riscv64-linux"]));
    insta::assert_snapshot!("source_date", workshop.fails(&["build", "--source-date", "yesterday"]));
    insta::assert_snapshot!("no_recipe", workshop.fails(&["build", "tmp"]));
    workshop.write("package.toml", "[package]\nvesion = \"1\"");
    insta::assert_snapshot!("bad_recipe", workshop.fails(&["build"]));
}

#[test]
fn a_file_of_a_gigabyte_is_packed_in_bounded_memory() {
    let workshop = Workshop::with_notes();
    fs::File::create(workshop.path("notes.txt")).unwrap().set_len(1 << 30).unwrap();
    // The limit is on addresses, of which threads and the allocator take many that they never use.
    let program = env!("CARGO_BIN_EXE_pkgbuild");
    let script = format!("ulimit -v 700000; exec {program} build --level 1 --threads 2");
    tool(&workshop.path(""), "sh", &["-c", &script]);
    assert!(workshop.works(&["inspect", FILE]).out.contains("1073741824 bytes"));
}

#[test]
fn an_sbom_is_attached_and_must_be_json() {
    let workshop = Workshop::with_notes();
    workshop.write("sbom.json", r#"{ "bomFormat": "CycloneDX" }"#);
    let recipe = CONTENT.replace("kind =", "sbom = \"sbom.json\"\nreadme = \"README.md\"\nkind =");
    workshop.write("package.toml", recipe);
    workshop.write("README.md", "# Notes\n");
    workshop.works(&["build"]);
    assert!(workshop.works(&["inspect", FILE]).out.contains("sbom           yes"));
    assert_eq!(content(&workshop, "README.md"), "# Notes");
    workshop.write("sbom.json", "<xml/>");
    insta::assert_snapshot!(workshop.fails(&["build"]));
}

/// Makes a git repository of a directory of the workshop, and returns its only commit.
fn commit(workshop: &Workshop, directory: &str, before: &[&[&str]]) -> String {
    let git = |arguments: &[&str]| tool(&workshop.path(directory), "git", arguments);
    git(&["init", "--quiet"]);
    for arguments in before {
        git(arguments);
    }
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "x"]);
    git(&["rev-parse", "HEAD"])
}

fn with_git(workshop: &Workshop, source: &str) {
    let source = format!("[[source]]\n{source}\n");
    workshop.write("package.toml", format!("{}\n{source}", CONTENT.replace("notes.txt", ".")));
}

#[test]
fn a_commit_with_submodules_is_refused_with_the_sources_to_add() {
    let workshop = Workshop::new();
    workshop.write("sub/lib.c", "int x;\n");
    commit(&workshop, "sub", &[]);
    workshop.write("main/main.c", "int y;\n");
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../sub", "vendor/sub"];
    let head = commit(&workshop, "main", &[&["remote", "add", "origin", "../main"], &add]);
    let source = format!("git = \"main\"\ncommit = \"{head}\"");
    with_git(&workshop, &source);
    insta::assert_snapshot!(workshop.fails(&["build"]));
    with_git(&workshop, &format!("{source}\nexcludes = [\"vendor/sub\"]"));
    workshop.works(&["build"]);
    // In a work tree they count when they were filled.
    with_git(&workshop, "path = \"main\"");
    workshop.works(&["build"]);
    fs::remove_dir_all(workshop.path("main/vendor/sub")).unwrap();
    fs::create_dir(workshop.path("main/vendor/sub")).unwrap();
    insta::assert_snapshot!("empty_submodule", workshop.fails(&["build"]));
}

#[test]
fn a_commit_with_pointers_of_git_lfs_is_refused() {
    let workshop = Workshop::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    workshop.write("lfs/model.bin", pointer);
    workshop.write("lfs/notes.txt", "x");
    let head = commit(&workshop, "lfs", &[]);
    let source = format!("git = \"lfs\"\ncommit = \"{head}\"");
    with_git(&workshop, &source);
    insta::assert_snapshot!(workshop.fails(&["build"]));
    with_git(&workshop, &format!("{source}\nexcludes = [\"*.bin\"]"));
    workshop.works(&["build"]);
}

#[test]
fn the_configuration_of_a_user_changes_nothing_that_is_checked_out() {
    let workshop = Workshop::new();
    workshop.write("lib/.gitattributes", "*.txt text\n*.bin filter=shout\n");
    workshop.write("lib/notes.txt", "one\ntwo\n");
    workshop.write("lib/a.bin", "quiet\n");
    let head = commit(&workshop, "lib", &[]);
    with_git(&workshop, &format!("git = \"lib\"\ncommit = \"{head}\""));
    workshop.works(&["build"]);
    let plain = fs::read(workshop.path(FILE)).unwrap();
    let attributes = workshop.write("attributes", "* text eol=crlf\n");
    let settings = format!(
        "[core]\n autocrlf = true\n eol = crlf\n attributesFile = {}\n[filter \"shout\"]\n smudge = tr a-z A-Z\n required = true\n",
        attributes.display()
    );
    let config = workshop.write("gitconfig", settings);
    workshop.forget();
    let mut command = workshop.command(&["build", "--no-cache"]);
    let said = workshop.say(&command.env("GIT_CONFIG_GLOBAL", &config).output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(fs::read(workshop.path(FILE)).unwrap() == plain);
}
