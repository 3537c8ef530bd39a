//! What the commands say of themselves and of what went wrong. The snapshots are the promise.

use insta::assert_snapshot;

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE, SLEEPER, ending};

/// What a person sees, without what differs from run to run.
fn said(host: &Host, ran: &Ran) -> String {
    let text = format!("exit {}\n{}{}", ran.exit, ran.out, ran.err).replace(host.root().as_str(), "PREFIX");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The help of a command, without the options that all commands have.
fn help(command: &str) -> String {
    let host = Host::new();
    let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
    let text = said(&host, &host.run(&words));
    let (own, rest) = text.split_once("\nPrefix:").unwrap();
    let (_, end) = rest.split_once("Show no progress bars").unwrap();
    format!("{own}{end}")
}

#[test]
fn the_commands_explain_themselves() {
    assert_snapshot!("help_start", help("start"));
    assert_snapshot!("help_stop", help("stop"));
    assert_snapshot!("help_restart", help("restart"));
    assert_snapshot!("help_status", help("status"));
    assert_snapshot!("help_logs", help("logs"));
    for command in [
        "reload",
        "exec",
        "check",
        "supervise",
        "unit",
        "upgrade",
        "rollback",
        "rehearse",
        "history",
        "why",
        "diff",
        "gc",
        "config",
        "config show",
        "config set",
        "config unset",
        "config apply",
        "config diff",
        "config resolve",
    ] {
        assert_snapshot!(format!("help_{}", command.replace(' ', "_")), help(command));
    }
}

#[test]
fn failures_say_what_why_and_what_to_do() {
    let host = Host::with(ending("echo cannot bind port 80 >&2\nexit 3"));
    let start = |package: &str| said(&host, &host.run(&["start", package, "--as", SERVICE]));
    assert_snapshot!(start(PACKAGE), @r##"
    exit 1
    error: 1.web.dev.local did not start: it ended at once with exit code 3
      cause: the last lines that it wrote:
        | cannot bind port 80
      hint: nothing of it is left running; all output is in PREFIX/runtime/1.web.dev.local/log/console.log
    "##);
    assert_snapshot!(start("com.example:other:1"), @r##"
    exit 5
    error: com.example:other:1 is not installed
      hint: install it first: `pkginstall install com.example:other:1`
    "##);
    assert_snapshot!(said(&host, &host.run(&["status", "2.web.dev.local"])), @r##"
    exit 5
    error: 2.web.dev.local was never started here
      hint: `pkginstall status` lists the services of this prefix
    "##);
    assert_snapshot!(said(&host, &host.run(&["start", PACKAGE, "--as", SERVICE, "--", "--coordinate=x"])), @r##"
    exit 2
    error: com.example:web:1.0 cannot be started with --coordinate=x: that option is given by pkginstall itself
      hint: leave it out
    "##);

    let package = Package::serving("").with("script.d/start", "#!/opt/python2\n");
    host.install("com.example:old:1", &package);
    assert_snapshot!(start("com.example:old:1"), @r##"
    exit 1
    error: cannot run PREFIX/software/com/example/old/1/script.d/start
      cause: its interpreter /opt/python2 is not there
      hint: the first line of PREFIX/software/com/example/old/1/script.d/start names its interpreter: is it installed?
    "##);

    let package = Package::serving("").with("script.d/start", "#!/bin/sh\nsleep 600\n");
    host.install("com.example:slow:1", &package.that(|service| service.start_timeout_seconds = 1));
    assert_snapshot!(start("com.example:slow:1"), @r##"
    exit 1
    error: 1.web.dev.local did not start: its start script had not ended after 1 s
      cause: it wrote nothing
      hint: nothing of it is left running; all output is in PREFIX/runtime/1.web.dev.local/log/console.log
    "##);

    let directory = host.prefix().install_dir(&PACKAGE.parse().unwrap());
    std::fs::remove_file(directory.join("script.d/stop")).unwrap();
    assert_snapshot!(start(PACKAGE), @r##"
    exit 6
    error: com.example:web:1.0 is not what was installed: PREFIX/software/com/example/web/1.0/script.d/stop is missing
      hint: `pkginstall verify com.example:web:1.0` shows all that is different
    "##);
    host.assert_nothing_left();
}

#[test]
fn a_conflict_says_with_what_it_runs() {
    let host = Host::with(Package::serving(SLEEPER));
    host.run(&["start", PACKAGE, "--as", SERVICE, "--", "--port=1"]).ok();
    assert_snapshot!(said(&host, &host.run(&["start", PACKAGE, "--as", SERVICE])), @r##"
    exit 7
    error: 1.web.dev.local is running already, with the parameters "--port=1"
      hint: stop it first: `pkginstall stop 1.web.dev.local`; `restart` keeps package and parameters
    "##);
}

/// The text without what differs from run to run: digests, and lengths of time.
fn without_numbers(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let steady = words.iter().enumerate().map(|(at, word)| {
        let is_time = words.get(at + 1).is_some_and(|next| next.trim() == "ms");
        if is_digest(word.trim()) || is_time { word.replace(word.trim(), "…") } else { (*word).to_owned() }
    });
    steady.collect()
}

/// A package with two versions that fail in as many ways as there are commands to say so.
fn upgradable() -> Host {
    // It outlives its start script, whose shell could collect it: then nobody would know its exit code.
    let next = Package::serving("#!/bin/sh\necho no such table >&2\nsleep 0.1\nexit 3\n");
    let host = Host::with(Package::serving(SLEEPER));
    host.install("com.example:web:2.0", &next);
    host.install("com.example:web:0.9", &Package::serving(SLEEPER));
    host
}

#[test]
fn what_is_not_there_is_named_by_each_command() {
    let host = Host::with(Package::serving(SLEEPER));
    let before: Vec<String> = [
        &["reload", SERVICE][..],
        &["exec", SERVICE, "--", "true"],
        &["check", SERVICE],
        &["unit", SERVICE],
        &["upgrade", SERVICE],
        &["rollback", SERVICE],
        &["rehearse", SERVICE],
        &["history", SERVICE],
        &["why", SERVICE],
        &["diff", SERVICE, "1", "2"],
        &["gc", "--why", "com.example:other:1"],
        &["supervise", "*"],
        &["config", "show", SERVICE],
        &["config", "set", SERVICE, "port=1"],
        &["config", "apply", SERVICE],
        &["config", "resolve", SERVICE, "--ours"],
    ]
    .iter()
    .map(|words| format!("$ pkginstall {}\n{}", words.join(" "), said(&host, &host.run(words))))
    .collect();
    assert_snapshot!(before.join("\n\n"));
}

#[test]
fn what_an_upgrade_and_the_way_back_say() {
    let host = upgradable();
    host.start().ok();
    let mut told = Vec::new();
    for words in [
        &["upgrade", SERVICE, "--to", "2.0"][..],
        &["upgrade", SERVICE, "--to", "1.0"],
        &["upgrade", SERVICE, "--to", "0.9"],
        &["upgrade", SERVICE, "--to", "2.0", "--rehearsed"],
        &["rehearse", SERVICE, "--to", "2.0"],
        &["rollback", SERVICE],
        &["rollback", SERVICE, "--to", "2"],
        &["rollback", SERVICE, "--to", "7"],
        &["reload", SERVICE],
        &["exec", SERVICE, "--", "no-such-program"],
        &["config", "set", SERVICE, "port=1"],
        &["config", "unset", SERVICE, "port"],
        &["diff", SERVICE, "1", "9"],
        &["gc", "--why", PACKAGE],
        &["gc", "--dry-run"],
    ] {
        told.push(format!("$ pkginstall {}\n{}", words.join(" "), said(&host, &host.run(words))));
    }
    let told = told.join("\n\n");
    assert_snapshot!(without_numbers(&told));
    host.stop().ok();
}

#[test]
fn bash_completes_the_services_and_the_packages_that_there_are() {
    let host = Host::with(Package::serving(SLEEPER));
    host.start().ok();
    let script = host.run(&["completions", "bash"]).ok().out;
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_pkginstall")).parent().unwrap();
    let complete = |words: &str, at: usize| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}) COMP_CWORD={at}\n_pkginstall_with_names pkginstall \"${{COMP_WORDS[{at}]}}\" x\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut bash = std::process::Command::new("bash");
        bash.args(["-c", &ask]).env("PATH", path).env("COPKG_PREFIX", host.root());
        String::from_utf8(bash.output().unwrap().stdout).unwrap()
    };
    assert!(complete("pkginstall stop 1.", 2).lines().any(|name| name == SERVICE));
    assert!(complete("pkginstall remove com", 2).lines().any(|name| name == PACKAGE));
    assert!(!complete("pkginstall remove 1.", 2).contains(SERVICE));
    assert!(complete("pkginstall sta", 1).lines().any(|name| name == "status"));
    host.stop().ok();
}
