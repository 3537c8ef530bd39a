//! The command line itself: help, and the commands that only say something.

use crate::support::{Host, key, package};

#[test]
fn an_error_code_is_explained_and_an_unknown_one_gets_its_neighbour() {
    let host = Host::bare();
    insta::assert_snapshot!("explain", host.ok(&["explain", "not_installed"]));
    insta::assert_snapshot!("explain_unknown", host.fails(5, &["explain", "not_instaled"]));
    let all = host.json(&["explain"]);
    assert!(all["codes"].as_array().unwrap().len() > 300);
    assert_eq!(host.json(&["explain", "locked"])["exit"], "9");
}

#[test]
fn every_command_says_how_it_is_used() {
    let host = Host::bare();
    let commands: [&[&str]; 60] = [
        &["explain"],
        &[],
        &["install"],
        &["remove"],
        &["list"],
        &["info"],
        &["resolve"],
        &["verify"],
        &["trust"],
        &["trust", "add"],
        &["trust", "list"],
        &["trust", "remove"],
        &["repo"],
        &["repo", "add"],
        &["repo", "list"],
        &["repo", "refresh"],
        &["repo", "remove"],
        &["search"],
        &["deploy"],
        &["deploy", "plan"],
        &["deploy", "apply"],
        &["deploy", "status"],
        &["deploy", "history"],
        &["deploy", "diff"],
        &["deploy", "rollback"],
        &["deploy", "check"],
        &["deploy", "verify"],
        &["deploy", "remove"],
        &["deploy", "up"],
        &["deploy", "hosts"],
        &["deploy", "logs"],
        &["deploy", "recreate"],
        &["deploy", "down"],
        &["content"],
        &["content", "add"],
        &["content", "list"],
        &["content", "status"],
        &["content", "diff"],
        &["content", "edit"],
        &["content", "push"],
        &["content", "abandon"],
        &["content", "activate"],
        &["content", "remove"],
        &["follow"],
        &["unfollow"],
        &["agent"],
        &["crontab"],
        &["timer"],
        &["host"],
        &["host", "init"],
        &["host", "watch"],
        &["host", "push"],
        &["host", "list"],
        &["host", "show"],
        &["host", "rebuild"],
        &["store", "prune"],
        &["recover"],
        &["config", "show"],
        &["dirs"],
        &["completions"],
    ];
    for command in commands {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let name = if command.is_empty() { "pkginstall".to_owned() } else { command.join("_") };
        insta::assert_snapshot!(format!("help_{name}"), host.ok(&arguments));
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    let host = Host::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(host.ok(&["completions", shell]).contains("pkginstall"), "{shell}");
    }
}

#[test]
fn the_directories_of_a_prefix_are_listed() {
    insta::assert_snapshot!(Host::bare().ok(&["dirs"]));
}

#[test]
fn keys_are_pinned_listed_and_taken_away() {
    let host = Host::bare();
    let (one, two) = (key(1).public(), key(2).public());
    let file = host.path("two.pub");
    std::fs::write(&file, two.to_pem().unwrap()).unwrap();
    let added =
        host.json(&["trust", "add", "com.example.*", &one.to_string(), "two.pub", "--threshold", "2"]);
    assert_eq!(added["changed"], true);
    assert_eq!(host.json(&["trust", "add", "com.example.*", &one.to_string()])["changed"], false);
    insta::assert_snapshot!(host.ok(&["trust", "list"]));
    assert_eq!(host.json(&["trust", "remove", "com.example.*", "--dry-run"])["changed"], false);
    assert_eq!(host.json(&["trust", "add", "com.other", &one.to_string(), "--dry-run"])["changed"], false);
    assert_eq!(host.json(&["trust", "list"])["pins"].as_array().unwrap().len(), 1);
    host.fails(2, &["trust", "remove", "com.example.*", &one.id().to_string()]);
    insta::assert_snapshot!(host.fails(2, &["trust", "add", "com.example", "ed25519:nonsense"]));
    insta::assert_snapshot!(
        host.fails(2, &["trust", "add", "com.example", &one.to_string(), "--threshold", "3"])
    );
    host.ok(&["trust", "remove", "com.example.*"]);
    insta::assert_snapshot!(host.fails(5, &["trust", "remove", "com.example.*"]));
}

#[test]
fn repositories_are_added_and_removed_and_the_rest_of_the_file_stays() {
    let host = Host::bare();
    let config = host.prefix(".copkg/config.toml");
    crate::support::write(&config, b"# Ours.\nlock_timeout_seconds = 7 # short\n");
    host.ok(&["repo", "add", "main", "https://example.com/copkg/", "--group", "com.example.*"]);
    host.ok(&["repo", "add", "other", "https://example.org", "--user", "me", "--password-env", "SECRET"]);
    assert_eq!(
        host.json(&["repo", "add", "main", "https://example.com/copkg", "--group", "com.example.*"])["changed"],
        false
    );
    insta::assert_snapshot!(std::fs::read_to_string(&config).unwrap());
    insta::assert_snapshot!(host.ok(&["repo", "list"]));
    host.ok(&["repo", "remove", "main", "--dry-run"]);
    host.ok(&["repo", "remove", "main"]);
    insta::assert_snapshot!(host.fails(5, &["repo", "remove", "main"]));
    insta::assert_snapshot!(host.fails(2, &["repo", "add", "bad", "https://me:secret@example.com"]));
}

#[test]
fn each_setting_comes_from_its_strongest_layer() {
    let host = Host::bare();
    let write = |path: &str, text: &str| crate::support::write(&host.path(path), text.as_bytes());
    write("copkg.toml", "lock_timeout_seconds = 1\n");
    write("prefix/.copkg/config.toml", "lock_timeout_seconds = 2\n[fetch]\nattempts = 2\n");
    write(
        ".config/copkg/config.toml",
        "lock_timeout_seconds = 3\n[fetch]\nattempts = 3\nsilence_timeout_seconds = 3\n",
    );
    insta::assert_snapshot!(host.ok(&["config", "show", "--origin"]));
    write("copkg.toml", "lock_timout_seconds = 1\n");
    insta::assert_snapshot!(host.fails(2, &["config", "show"]));
}

#[test]
fn what_is_known_of_a_package_is_shown() {
    let host = Host::new();
    host.ok(&["install", &host.file("web.copkg", &package("com.example:web:1.0"))]);
    let text = host.ok(&["info", "com.example:web:1.0"]);
    let fixed: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("installed") && !line.starts_with("digest")).collect();
    insta::assert_snapshot!(fixed.join("\n"));
    assert_eq!(host.json(&["info", "com.example:web:1.0"])["manifest"]["id"], "web");
}
