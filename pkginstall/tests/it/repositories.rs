//! Repositories whose root is pinned: what is resolved, kept, warned of and refused.

use std::fs;

use crate::signed::Signed;
use crate::support::{Host, Node, Package, TREE, key, package, package_of, write};

/// A host with nothing pinned but the root of a repository that has three versions of a package.
pub(crate) fn scene() -> (Host, Signed) {
    let host = Host::bare();
    let mut repository = Signed::found(&host.path("repository"));
    let packages = ["1.0.0", "1.1.0", "2.0.0-rc.1"].map(|v| package(&format!("com.example:web:{v}")));
    repository.publish(&packages.each_ref());
    add(&host, &repository);
    (host, repository)
}

pub(crate) fn add(host: &Host, repository: &Signed) {
    host.ok(&["repo", "add", "main", &repository.directory(), "--root", &repository.fingerprint()]);
}

fn cached(host: &Host, file: &str) -> std::path::PathBuf {
    host.prefix(&format!(".copkg/repositories/main/{file}"))
}

/// Text without what differs from run to run: digests and times.
pub(crate) fn steady(text: &str) -> String {
    let mut steady = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let time =
            rest.get(..20).filter(|word| word.ends_with('Z') && word.parse::<jiff::Timestamp>().is_ok());
        let hex = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let length = match (time, hex) {
            (Some(_), _) => {
                steady.push_str("[TIME]");
                20
            }
            (None, 12..) => {
                steady.push_str("[DIGEST]");
                hex
            }
            _ => {
                let next = rest.chars().next().map_or(1, char::len_utf8);
                let word = if hex > 0 { hex.min(rest.len()) } else { next };
                steady.push_str(&rest[..word]);
                word
            }
        };
        rest = &rest[length..];
    }
    steady
}

#[test]
fn a_name_alone_is_the_newest_and_a_channel_is_what_it_names() {
    let (host, mut repository) = scene();
    repository.promote("com.example:web:1.0.0", "stable");
    repository.promote("com.example:web:2.0.0-rc.1", "beta");
    let leads_to = |wanted: &str| host.json(&["resolve", wanted])["package"].as_str().unwrap().to_owned();
    assert_eq!(leads_to("com.example:web"), "com.example:web:1.1.0");
    assert_eq!(leads_to("com.example:web@stable"), "com.example:web:1.0.0");
    assert_eq!(leads_to("com.example:web@beta"), "com.example:web:2.0.0-rc.1");
    repository.yank("com.example:web:1.1.0", "loses data");
    assert_eq!(leads_to("com.example:web"), "com.example:web:1.0.0");
    host.ok(&["install", "com.example:web@stable", "com.example:web:2.0.0-rc.1"]);
    assert_eq!(host.json(&["install", "com.example:web"])["changed"], false);
    insta::assert_snapshot!(host.fails(5, &["resolve", "com.example:web@nightly"]));
    insta::assert_snapshot!(host.fails(5, &["resolve", "com.example:db"]));
    insta::assert_snapshot!(steady(&host.ok(&["resolve", "com.example:web"])));
}

#[test]
fn a_yanked_version_is_taken_with_a_warning_and_only_when_it_is_named() {
    let (host, mut repository) = scene();
    repository.promote("com.example:web:1.1.0", "stable");
    repository.yank("com.example:web:1.1.0", "loses data\u{202e}");
    insta::assert_snapshot!(host.fails(5, &["install", "com.example:web@stable"]));
    let output = host.run(&["install", "com.example:web:1.1.0", "--no-progress"]);
    assert!(output.status.success());
    insta::assert_snapshot!(host.text(&output.stderr));
}

#[test]
fn the_file_for_this_machine_comes_before_the_one_for_any() {
    let host = Host::bare();
    let mut repository = Signed::found(&host.path("repository"));
    let ours = copkg_spec::platform::Platform::host().to_string();
    let of = |version: &str, platform: &str| {
        package_of(&format!("com.example:web:{version}"), platform, &TREE, &[key(1)])
    };
    repository.publish(&[&of("1", &ours), &of("1", "any"), &of("2", "any"), &of("3", "s390x-linux")]);
    add(&host, &repository);
    let platform = |wanted: &str| host.json(&["resolve", wanted])["platform"].as_str().unwrap().to_owned();
    assert_eq!(platform("com.example:web:1"), ours);
    assert_eq!(platform("com.example:web:2"), "any");
    host.fails(5, &["install", "com.example:web:3"]);
    insta::assert_snapshot!(host.fails(5, &["install", "com.example:web"]).replace(&ours, "[HOST PLATFORM]"));
}

#[test]
fn keys_that_are_pinned_for_the_group_must_have_signed_as_well() {
    let (host, _repository) = scene();
    // The packages are signed by key 1.
    host.ok(&["trust", "add", "com.example", &key(2).public().to_string()]);
    insta::assert_snapshot!(host.fails(6, &["install", "com.example:web"]));
    host.ok(&["trust", "add", "com.example", &key(1).public().to_string()]);
    host.ok(&["install", "com.example:web"]);
}

#[test]
fn what_a_repository_has_is_shown() {
    let (host, mut repository) = scene();
    repository.promote("com.example:web:1.0.0", "stable");
    repository.yank("com.example:web:1.1.0", "loses data");
    insta::assert_snapshot!(host.ok(&["info", "com.example:web"]));
    let one = host.json(&["info", "com.example:web@stable"]);
    assert_eq!(one["versions"].as_array().unwrap().len(), 1);
    assert_eq!(one["versions"][0]["version"], "1.0.0");
    host.fails(5, &["info", "com.example:db"]);
}

#[test]
fn a_group_in_bins_is_resolved_and_listed() {
    let host = Host::bare();
    let mut repository = Signed::found(&host.path("repository"));
    let packages: Vec<Package> = (0..520).map(|n| package(&format!("com.example:web:{n}"))).collect();
    repository.publish(&packages.iter().collect::<Vec<_>>());
    add(&host, &repository);
    assert_eq!(host.json(&["resolve", "com.example:web"])["package"], "com.example:web:519");
    host.ok(&["install", "com.example:web:17"]);
    assert_eq!(host.json(&["info", "com.example:web"])["versions"].as_array().unwrap().len(), 520);
}

#[test]
fn a_repository_is_added_listed_and_removed_with_what_is_kept_of_it() {
    let (host, repository) = scene();
    insta::assert_snapshot!(steady(&host.ok(&["repo", "list"])));
    let listed = host.json(&["repo", "list"]);
    assert_eq!(listed["repositories"][0]["root"], repository.fingerprint());
    assert_eq!(listed["repositories"][0]["kept"]["head"], 2);
    assert_eq!(host.json(&["repo", "refresh"])["changed"], false);
    host.fails(5, &["repo", "refresh", "other"]);
    assert!(cached(&host, "metadata/root.json").exists());
    host.ok(&["repo", "remove", "main"]);
    assert!(!cached(&host, "").exists());
}

#[test]
fn a_dry_run_leaves_the_cache_as_it_is() {
    let (host, mut repository) = scene();
    repository.publish(&[&package("com.example:web:3")]);
    let before = fs::read(cached(&host, "metadata/timestamp.json")).unwrap();
    host.ok(&["install", "com.example:web:3", "--dry-run"]);
    assert_eq!(fs::read(cached(&host, "metadata/timestamp.json")).unwrap(), before);
    let elsewhere = Host::bare();
    let root = repository.fingerprint();
    elsewhere.ok(&["repo", "add", "main", &repository.directory(), "--root", &root, "--dry-run"]);
    assert!(!elsewhere.prefix(".copkg/repositories").exists());
}

#[test]
fn a_root_is_pinned_once() {
    let (host, repository) = scene();
    let other = Signed::found(&host.path("other"));
    let (place, root) = (other.directory(), other.fingerprint());
    let changed = format!("{}{}", if root.starts_with('0') { "1" } else { "0" }, &root[1..]);
    insta::assert_snapshot!(steady(&host.fails(6, &["repo", "add", "main", &place, "--root", &changed])));
    // What is not the pinned one is not added, and what was stays.
    insta::assert_snapshot!(steady(
        &host.fails(6, &["repo", "add", "main", &place, "--root", &changed, "--replace-root"])
    ));
    host.ok(&["install", "com.example:web"]);
    // Without a root the pin stays.
    host.ok(&["repo", "add", "main", &repository.directory()]);
    assert_eq!(host.json(&["repo", "list"])["repositories"][0]["root"], repository.fingerprint());
    insta::assert_snapshot!(host.fails(5, &["repo", "add", "bad", &place, "--root", "nothing"]));
    fs::write(host.path("file"), "{}").unwrap();
    insta::assert_snapshot!(host.fails(6, &["repo", "add", "bad", &place, "--root", "file"]));
}

#[test]
fn what_is_configured_stays_when_a_repository_is_added_again_and_what_changes_is_said() {
    let (host, repository) = scene();
    let config = host.prefix(".copkg/config.toml");
    repository.copy(&host.path("mirror"));
    repository.copy(&host.path("other"));
    let place = repository.directory();
    let listed = || {
        let text = fs::read_to_string(&config).unwrap();
        host.text(text.as_bytes())
    };
    let said = |arguments: &[&str]| {
        let output = host.run(&[&["repo", "add", "main"], arguments].concat());
        assert!(output.status.success(), "{}", host.text(&output.stderr));
        host.text(&output.stderr)
    };
    let first = [&place, "--mirror", "mirror", "--group", "com.example.*", "--timeout", "7"];
    insta::assert_snapshot!(said(&first));
    let before = listed();
    insta::assert_snapshot!(said(&[&place]));
    assert_eq!(listed(), before);
    // Another place, and one thing more.
    insta::assert_snapshot!(said(&["other", "--timeout", "9"]));
    insta::assert_snapshot!(said(&[&place, "--forget", "mirrors,groups"]));
    insta::assert_snapshot!(steady(&listed()));
    let document = host.json(&["repo", "add", "main", &place, "--mirror", "mirror"]);
    assert_eq!(document["kept"], serde_json::json!(["timeout"]));
    assert_eq!(document["changes"][0]["what"], "mirrors");
}

#[test]
fn a_name_is_made_of_the_url_where_none_is_given() {
    let host = Host::bare();
    fs::create_dir(host.path("repository")).unwrap();
    host.ok(&["repo", "add", "https://packages.example.com/copkg"]);
    host.ok(&["repo", "add", "repository"]);
    assert_eq!(host.json(&["repo", "add", "https://packages.example.com/copkg/"])["changed"], false);
    let names = |host: &Host| {
        let listed = host.json(&["repo", "list"]);
        let rows = listed["repositories"].as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&host), ["packages-example-com-copkg", "repository"]);
    // What is configured under another name keeps it.
    host.ok(&["repo", "add", "main", "https://example.org"]);
    assert_eq!(host.json(&["repo", "add", "https://example.org", "--timeout", "3"])["name"], "main");
    insta::assert_snapshot!(host.fails(2, &["repo", "add", "main"]));
}

#[test]
fn after_a_refresh_what_was_asked_for_before_can_be_had_offline() {
    let (host, mut repository) = scene();
    host.ok(&["resolve", "com.example:web"]);
    repository.publish(&[&package("com.example:web:3")]);
    host.ok(&["repo", "refresh"]);
    assert!(host.ok(&["resolve", "com.example:web", "--offline"]).contains("web/3"));
}

#[test]
fn a_later_root_can_be_pinned_by_its_file() {
    let host = Host::bare();
    let mut repository = Signed::found(&host.path("repository"));
    repository.publish(&[&package("com.example:web:1")]);
    repository.rotate_online();
    fs::copy(repository.metadata("2.root.json"), host.path("root.json")).unwrap();
    host.ok(&["repo", "add", "main", &repository.directory(), "--root", "root.json", "--offline"]);
    assert!(host.json(&["repo", "list"])["repositories"][0]["root"].as_str().unwrap().starts_with("2:"));
    host.ok(&["install", "com.example:web"]);
    // The cache is only a cache.
    fs::remove_dir_all(cached(&host, "")).unwrap();
    host.ok(&["resolve", "com.example:web"]);
}

#[test]
fn a_repository_without_a_pinned_root_is_no_plain_directory() {
    let (host, repository) = scene();
    let plain = repository.directory();
    let by_another_name = format!("{plain}/../repository");
    insta::assert_snapshot!(host.fails(6, &["install", "com.example:web:1.0.0", "--repo", &by_another_name]));
    // The place of a repository that is configured is known by its URL as well.
    host.ok(&["install", "com.example:web:1.0.0", "--repo", &plain]);
}

#[test]
fn a_plain_directory_has_no_newest_version() {
    let host = Host::new();
    host.publish(&package("com.example:web:1"));
    insta::assert_snapshot!(host.fails(5, &["install", "com.example:web", "--repo", &host.repository()]));
    host.ok(&["install", "com.example:web:1", "--repo", &host.repository()]);
}

#[test]
fn a_lock_file_installs_exactly_what_was_resolved() {
    let (host, mut repository) = scene();
    host.ok(&["resolve", "com.example:web", "com.example:web:1.0.0", "--lock", "copkg.lock"]);
    let text = fs::read_to_string(host.path("copkg.lock")).unwrap();
    insta::assert_snapshot!(steady(&text.replace('"', " ")));
    repository.publish(&[&package("com.example:web:1.2.0")]);
    host.ok(&["resolve", "com.example:web:1.0.0", "com.example:web:1.1.0", "--lock", "again.lock"]);
    assert_eq!(fs::read_to_string(host.path("again.lock")).unwrap(), text);
    host.ok(&["install", "--locked", "copkg.lock"]);
    let list = host.json(&["list"]);
    assert_eq!(list["packages"].as_array().unwrap().len(), 2);
    assert_eq!(host.json(&["install", "--locked", "copkg.lock"])["changed"], false);
    let digest = text.split('"').nth(5).unwrap();
    let forged = text.replace(digest, &"ab".repeat(32));
    write(&host.path("forged.lock"), forged.as_bytes());
    insta::assert_snapshot!(steady(&host.fails(6, &["install", "--locked", "forged.lock"])));
    let other = Host::bare();
    add(&other, &repository);
    write(&other.path("forged.lock"), forged.as_bytes());
    other.fails(6, &["install", "--locked", "forged.lock"]);
    assert!(other.software().is_empty());
    write(&host.path("bad.lock"), b"version = 1\npackage = 1\n");
    insta::assert_snapshot!(host.fails(2, &["install", "--locked", "bad.lock"]));
}

#[test]
fn a_lock_file_can_be_made_of_a_plain_directory() {
    let host = Host::new();
    host.publish(&package("com.example:web:1"));
    let repository = host.repository();
    host.ok(&["resolve", "com.example:web:1", "--lock", "a.lock", "--repo", &repository]);
    host.ok(&["install", "--locked", "a.lock", "--repo", &repository]);
    // Another package in its place, signed by the same key.
    host.ok(&["remove", "com.example:web:1"]);
    host.publish(&package_of("com.example:web:1", "any", &[("a", Node::File("b"))], &[key(1)]));
    insta::assert_snapshot!(steady(
        &host.fails(6, &["install", "--locked", "a.lock", "--repo", &repository])
    ));
}

#[test]
fn offline_what_is_kept_and_directories_have_to_do() {
    let (host, repository) = scene();
    host.ok(&["resolve", "com.example:web"]);
    // The same repository, said to be on a server that is not there.
    let config = host.prefix(".copkg/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    write(&config, text.replace(&repository.directory(), "http://127.0.0.1:9").as_bytes());
    assert_eq!(host.json(&["resolve", "com.example:web", "--offline"])["package"], "com.example:web:1.1.0");
    insta::assert_snapshot!(host.fails(8, &["install", "com.example:web", "--offline"]));
    // A copy in a directory is asked.
    write(
        &config,
        format!("{text}mirrors = [\"{}\"]\n", repository.directory())
            .replace(&format!("url = \"{}\"", repository.directory()), "url = \"http://127.0.0.1:9\"")
            .as_bytes(),
    );
    host.ok(&["install", "com.example:web", "--offline"]);
    fs::remove_dir_all(cached(&host, "")).unwrap();
    write(&config, text.replace(&repository.directory(), "http://127.0.0.1:9").as_bytes());
    insta::assert_snapshot!(host.fails(8, &["resolve", "com.example:web", "--offline"]));
}

#[test]
fn another_package_than_the_one_that_is_vouched_for_is_refused() {
    let (host, repository) = scene();
    // The same coordinate, other content, signed by the same key.
    let other = package_of("com.example:web:1.1.0", "any", &[("a", Node::File("b"))], &[key(1)]);
    let url = host.json(&["resolve", "com.example:web"])["urls"][0]
        .as_str()
        .unwrap()
        .replace("[HOST]", host.path("").to_str().unwrap());
    let honest = fs::read(&url).unwrap();
    write(url.as_ref(), &other.bytes);
    insta::assert_snapshot!(steady(&host.fails(6, &["install", "com.example:web"])));
    // Another copy has the right one.
    repository.copy(&host.path("mirror"));
    write(url.replace("repository", "mirror").as_ref(), &honest);
    host.ok(&["repo", "add", "main", &repository.directory(), "--mirror", "mirror"]);
    host.ok(&["install", "com.example:web"]);
}
