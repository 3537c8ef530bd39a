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
    let text = said(&host, &host.run(&[command, "--help"]));
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
