//! Deployments: written, linted, locked, built, shown, compared, published.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use workshop::Workshop;

const HELLO: &str = r#"
[package]
group = "com.example"
id = "hello"
version = "1.0.0"

[[contents]]
src = "bin"

[service]
exec = "bin/hello $PARAM_PORT"
parameters = [{ name = "port" }]

[service.config.greeting]
type = "string"
default = "hello"
"#;

const FILE: &str = "shop-0.1.0-any.copkg";

/// A workshop with the package that a first deployment runs, in `packages`, and that deployment in `shop`.
fn with_shop() -> Workshop {
    let workshop = Workshop::new();
    build_hello(&workshop, HELLO);
    workshop.works(&["init", "--deployment", "shop"]);
    workshop
}

fn build_hello(workshop: &Workshop, recipe: &str) {
    workshop.write("hello/package.toml", recipe);
    workshop.program("hello/bin/hello", "#!/bin/sh\n");
    workshop.works(&["build", "hello", "--out", "packages", "--source-date", "1700000000"]);
}

fn build(workshop: &Workshop) {
    workshop.works(&["build", "shop", "--packages", "packages", "--source-date", "1700000000"]);
}

fn edit(workshop: &Workshop, file: &str, old: &str, new: &str) {
    let text = fs::read_to_string(workshop.path(file)).unwrap();
    assert!(text.contains(old), "{file}: {text}");
    workshop.write(file, text.replacen(old, new, 1));
}

#[test]
fn a_first_deployment_lints_and_builds() {
    let workshop = with_shop();
    assert_eq!(workshop.works(&["lint", "shop"]).out, "nothing found\n");
    assert_eq!(workshop.works(&["lint", "shop", "--packages", "packages"]).out, "nothing found\n");
    build(&workshop);
    insta::assert_snapshot!(workshop.works(&["inspect", FILE, "--files"]).out);
    assert_eq!(workshop.works(&["lint", FILE]).out, "nothing found\n");
    assert!(workshop.is_clean());
}

#[test]
fn a_first_deployment_is_never_written_over_another() {
    let workshop = with_shop();
    insta::assert_snapshot!(workshop.fails(&["init", "--deployment", "shop"]));
    let proposed = Workshop::new();
    fs::create_dir(proposed.path("shop")).unwrap();
    let said = proposed.works(&["init", "--deployment", "--dry-run", "--json", "shop"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((document["changed"].clone(), document["files"].as_array().unwrap().len()), (false.into(), 3));
    assert_eq!(workshop::names(&proposed.path("shop")), Vec::<String>::new());
}

#[test]
fn the_lock_has_the_digest_of_each_package() {
    let workshop = with_shop();
    build(&workshop);
    let output = workshop.command(&["inspect", "packages/hello-1.0.0-any.copkg", "--json"]).output().unwrap();
    let hello: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let output = workshop.command(&["inspect", FILE, "--json"]).output().unwrap();
    let shop: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let short = &hello["digest"].as_str().unwrap()[..12];
    let service = format!("web: com.example:hello:1.0.0 (any {short}), 1 instance");
    assert_eq!(shop["deployment"][0], serde_json::json!({ "of": "service", "text": service }));
    assert_eq!(shop["manifest"]["kind"], "deployment");
}

#[test]
fn a_deployment_is_built_again_byte_for_byte() {
    let workshop = with_shop();
    build(&workshop);
    // The lock was decided when it was built: the packages need not be there.
    fs::remove_dir_all(workshop.path("packages")).unwrap();
    workshop.works(&["rebuild", FILE, "--source", "shop"]);
}

#[test]
fn another_package_makes_another_deployment_though_its_description_is_the_same() {
    let workshop = with_shop();
    build(&workshop);
    let first = fs::read(workshop.path(FILE)).unwrap();
    build(&workshop);
    assert_eq!(fs::read(workshop.path(FILE)).unwrap(), first);
    build_hello(&workshop, &HELLO.replace("default = \"hello\"", "default = \"good day\""));
    build(&workshop);
    assert_ne!(fs::read(workshop.path(FILE)).unwrap(), first);
}

#[test]
fn every_mistake_before_the_lock_is_said_with_its_place() {
    let workshop = with_shop();
    let mut all = String::new();
    let mut note = |name: &str, said: String| {
        let _ = writeln!(all, "# {name}\n{said}");
    };
    note("nothing says where the packages are", workshop.fails(&["build", "shop"]));
    edit(&workshop, "shop/env/prod.toml", "port = 80", "prot = 80");
    edit(&workshop, "shop/env/dev.toml", "\"web\"", "\"wep\"");
    note("two environments with mistakes", workshop.fails(&["lint", "shop"]));
    edit(&workshop, "shop/env/prod.toml", "prot = 80", "port = 80");
    edit(&workshop, "shop/env/dev.toml", "\"wep\"", "\"web\"");
    edit(&workshop, "shop/deployment.toml", "version = \"1.0.0\"", "version = \"1.0.1\"");
    note("a version that is not there", workshop.fails(&["build", "shop", "--packages", "packages"]));
    edit(&workshop, "shop/deployment.toml", "version = \"1.0.1\"", "channel = \"stable\"");
    note("a channel of a directory", workshop.fails(&["build", "shop", "--packages", "packages"]));
    edit(&workshop, "shop/deployment.toml", "channel = \"stable\"", "version = \"1.0.0\"");
    edit(
        &workshop,
        "shop/deployment.toml",
        "[service.web.parameters]\nport",
        "[service.web.settings]\ngreetnig",
    );
    note("what the package does not take", workshop.fails(&["lint", "shop", "--packages", "packages"]));
    workshop.write("shop/package.toml", HELLO);
    note("a recipe beside it", workshop.fails(&["build", "shop"]));
    note("packages for a recipe", workshop.fails(&["build", "hello", "--packages", "packages"]));
    fs::remove_file(workshop.path("shop/package.toml")).unwrap();
    fs::remove_dir_all(workshop.path("shop/env")).unwrap();
    note("no environment", workshop.fails(&["lint", "shop"]));
    insta::assert_snapshot!(all);
    assert!(!workshop.path(FILE).exists());
}

#[test]
fn a_service_is_all_that_a_deployment_runs() {
    let workshop = with_shop();
    workshop.write("notes/package.toml", workshop::CONTENT);
    workshop.write("notes/notes.txt", "x");
    workshop.works(&["build", "notes", "--out", "packages"]);
    edit(&workshop, "shop/deployment.toml", "com.example:hello", "com.example:notes");
    insta::assert_snapshot!(workshop.fails(&["build", "shop", "--packages", "packages"]));
}

#[test]
fn two_files_of_one_package_with_different_contents_are_refused() {
    let workshop = with_shop();
    fs::rename(workshop.path("packages"), workshop.path("first")).unwrap();
    build_hello(
        &workshop,
        &HELLO.replace("\"hello\"\n\"\"\"", "\"x\"").replace("default = \"hello\"", "default = \"x\""),
    );
    insta::assert_snapshot!(workshop.fails(&[
        "build",
        "shop",
        "--packages",
        "first",
        "--packages",
        "packages"
    ]));
}

#[test]
fn two_revisions_are_compared_by_what_they_say() {
    let workshop = with_shop();
    build(&workshop);
    build_hello(&workshop, &HELLO.replace("1.0.0", "1.1.0"));
    edit(&workshop, "shop/deployment.toml", "0.1.0", "0.2.0");
    edit(&workshop, "shop/deployment.toml", "version = \"1.0.0\"", "version = \"1.1.0\"");
    edit(&workshop, "shop/deployment.toml", "instances = 1", "instances = [1, 3]");
    edit(
        &workshop,
        "shop/deployment.toml",
        "{{ values.port }}\"]",
        "{{ values.port + service.instance }}\"]",
    );
    edit(&workshop, "shop/env/prod.toml", "[host.web2]", "[host.web3]");
    build(&workshop);
    insta::assert_snapshot!(workshop.works(&["diff", FILE, "shop-0.2.0-any.copkg"]).out);
}

#[test]
fn files_that_the_description_names_are_packed() {
    let workshop = with_shop();
    workshop.program("shop/checks/web", "#!/bin/sh\n");
    workshop.write("shop/notes.txt", "not named");
    edit(&workshop, "shop/deployment.toml", "description =", "files = [\"checks\"]\ndescription =");
    build(&workshop);
    let listed = workshop.works(&["inspect", FILE, "--files"]).out;
    assert!(listed.contains("0755") && listed.contains("checks/web"), "{listed}");
    assert!(!listed.contains("notes.txt"), "{listed}");
}

#[test]
fn a_deployment_is_published_as_what_it_is() {
    let workshop = with_shop();
    workshop.works(&["keygen", "team"]);
    workshop.works(&["build", "shop", "--packages", "packages", "--key", "team.key"]);
    workshop.works(&["verify", FILE, "--key", "team.pub"]);
    let said = workshop.works(&["publish", FILE, "--repo", "repo", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(document["packages"][0]["package"], "com.example:shop:0.1.0");
    // A directory of packages is a place to find them, too.
    workshop.works(&["publish", "packages/hello-1.0.0-any.copkg", "--repo", "repo", "--allow-unsigned"]);
    workshop.works(&["build", "shop", "--packages", "repo", "--out", "again"]);
}

#[test]
fn what_only_says_that_it_is_a_deployment_is_shown_all_the_same() {
    let workshop = Workshop::new();
    workshop.write("package.toml", workshop::CONTENT.replace("\"content\"", "\"deployment\""));
    workshop.write("notes.txt", "x");
    workshop.works(&["build"]);
    let said = workshop.works(&["inspect", "notes-1.0.0-any.copkg"]);
    assert!(said.out.contains("kind           deployment"), "{}", said.out);
    assert!(said.err.contains("what it deploys cannot be shown"), "{}", said.err);
    assert!(workshop.is_clean());
}

#[test]
fn a_description_that_nobody_wrote_is_not_read() {
    let workshop = with_shop();
    workshop.write("shop/env/dev.toml", "# \n".repeat(400_000));
    let said = workshop.fails(&["lint", "shop"]);
    assert!(said.contains("cannot read DIR/shop/env/dev.toml"), "{said}");
}

#[test]
fn the_schemas_are_valid_and_accept_a_first_deployment() {
    let workshop = with_shop();
    let script = "import json, sys, tomllib, jsonschema
for schema, *files in json.loads(sys.argv[1]):
    schema = json.load(open(schema))
    jsonschema.Draft202012Validator.check_schema(schema)
    for file in files:
        jsonschema.validate(tomllib.load(open(file, 'rb')), schema, cls=jsonschema.Draft202012Validator)
";
    for name in ["deployment", "environment"] {
        workshop.write(&format!("{name}.json"), workshop.works(&["schema", name]).out);
    }
    let files = r#"[["deployment.json", "shop/deployment.toml"], ["environment.json", "shop/env/dev.toml", "shop/env/prod.toml"]]"#;
    let directory = workshop.path("");
    let python =
        |arguments: &[&str]| Command::new("python3").args(arguments).current_dir(&directory).output();
    if !python(&["-c", "import jsonschema, tomllib"]).is_ok_and(|output| output.status.success()) {
        return copkg_skip::skip("JSON Schema", "python3 has no jsonschema here");
    }
    let output = python(&["-c", script, files]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // A schema that accepted everything would be of no use.
    edit(&workshop, "shop/deployment.toml", "package =", "pakcage =");
    assert!(!python(&["-c", script, files]).unwrap().status.success());
}

#[test]
fn the_shop_of_the_examples_lints_and_its_own_parts_build() {
    let workshop = Workshop::new();
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop");
    assert_eq!(workshop.works(&["lint", shop]).out, "nothing found\n");
    let build = format!("{shop}/build.py");
    let mut parts = Command::new("python3");
    parts.args([&build, "packages", "--only", "web", "--only", "worker"]).current_dir(workshop.path(""));
    parts.env("PKGBUILD", env!("CARGO_BIN_EXE_pkgbuild")).env("TMPDIR", workshop.path("tmp"));
    let output = parts.env("XDG_CACHE_HOME", workshop.path("cache")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        workshop::names(&workshop.path("packages")),
        ["shop-web-1.0.0-any.copkg", "shop-worker-1.0.0-any.copkg"]
    );
    // The others come from Debian.
    insta::assert_snapshot!(workshop.fails(&["build", shop, "--packages", "packages"]));
}
