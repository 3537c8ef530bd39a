//! Tests of the recipe as a whole: what is accepted, what it means, and how each mistake is reported.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::command::{Explain as _, Failure};
use crate::index::Mode;

const SMALL: &str = r#"
[package]
group = "com.example"
id = "hello"
version = "1.0.0"

[[contents]]
src = "bin"

[service]
exec = "bin/hello"
"#;

fn with(rest: &str) -> String {
    format!("{SMALL}{rest}")
}

fn parse(text: &str) -> Recipe {
    Recipe::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_smallest_recipe_has_the_documented_defaults() {
    insta::assert_debug_snapshot!(parse(SMALL));
}

#[test]
fn every_key_is_read() {
    insta::assert_debug_snapshot!(parse(include_str!("tests/every-key.toml")));
}

#[test]
fn the_example_and_the_documentation_have_every_key_of_the_schema() {
    let example = include_str!("tests/every-key.toml");
    let documentation = include_str!("../../../docs/recipe.md");
    let schema = schema().to_string();
    let root: Value = serde_json::from_str(&schema).unwrap();
    let tables = root["$defs"].as_object().unwrap().values().chain([&root]);
    for key in tables.filter_map(|table| table["properties"].as_object()).flat_map(|keys| keys.keys()) {
        assert!(example.contains(key.as_str()), "{key} is not in every-key.toml");
        assert!(
            documentation.contains(&format!("`{key}`")) || documentation.contains(&format!("[{key}]")),
            "{key} is not in docs/recipe.md"
        );
    }
}

#[test]
fn the_schema_is_what_it_was() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema()).unwrap());
}

#[test]
fn substitutions_reach_every_string_but_those_that_they_come_from() {
    let recipe = parse(
        r#"
[package]
group = "com.example"
id = "web"
version = "2.1"
description = "${package.id} ${package.version} of ${package.group}"
[vars]
jdk = "21"
raw = "${package.version}"
[build]
env = { NAME = "${package.id}" }
install = "x ${vars.jdk} $HOME ${HOME} ${HOME%.*} ${x:-a.b} $${vars.jdk} ${vars.raw}"
[[contents]]
src = "lib/${package.id}-${package.version}.jar"
[service]
exec = "bin/${package.id}"
"#,
    );
    assert_eq!(recipe.package.description.unwrap(), "web 2.1 of com.example");
    assert_eq!(recipe.build.env["NAME"], "web");
    let install = &recipe.build.scripts[0].text;
    assert_eq!(install, "x 21 $HOME ${HOME} ${HOME%.*} ${x:-a.b} ${vars.jdk} ${package.version}");
    assert_eq!(recipe.contents[0].dst().unwrap().as_str(), "lib/web-2.1.jar");
}

#[test]
fn a_destination_left_out_is_the_source_path() {
    let recipe = parse(&with(
        "[[contents]]\nsrc = \"etc/\"\n[[contents]]\nsrc = \"x.sh\"\ndst = \"bin/x\"\nmode = \"0755\"",
    ));
    assert_eq!(recipe.contents[1].dst().unwrap().as_str(), "etc");
    assert!(matches!(&recipe.contents[2], Content::Copy { mode: Some(Mode::Executable), .. }));
}

#[test]
fn a_tree_may_go_to_the_top_of_the_package() {
    let recipe = parse(&with("[[contents]]\nsrc = \".\"\ntype = \"tree\""));
    assert!(matches!(&recipe.contents[1], Content::Copy { src: None, dst: None, kind: CopyKind::Tree, .. }));
}

#[test]
fn a_package_that_is_no_service_has_no_service_section() {
    let text = SMALL.replace("version = \"1.0.0\"", "version = \"1.0.0\"\nkind = \"content\"");
    let text = text.replace("[service]\nexec = \"bin/hello\"\n", "");
    assert_eq!(parse(&text).service, None);
}

#[test]
fn a_service_without_a_section_brings_its_own_scripts() {
    let text = SMALL.replace("[service]\nexec = \"bin/hello\"\n", "");
    assert_eq!(parse(&text).service.unwrap().launch, Launch::OwnScripts);
}

/// One mistake each: what is changed in the smallest recipe, or added to it.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("not TOML", "id = \"hello\"", "id = hello"),
    ("a string that is not closed", "id = \"hello\"", "id = \"hello"),
    ("a key that comes twice", "id = \"hello\"", "id = \"hello\"\nid = \"hello\""),
    ("a key with a typing error", "version =", "vesion ="),
    ("a key like no other", "", "[build]\nxyzzy = 1"),
    ("a table with a typing error", "[service]", "[sevice]"),
    ("a key in a list", "", "[[tests]]\nname = \"a\"\nscript = \"true\""),
    ("a key in an inline table", "", "[lint]\nallow = [\n  { rule = \"setuid\", resaon = \"x\" },\n]"),
    ("a missing key", "id = \"hello\"\n", ""),
    ("a missing table", "[package]\ngroup = \"com.example\"\nid = \"hello\"\nversion = \"1.0.0\"\n", ""),
    ("a number for a string", "version = \"1.0.0\"", "version = 1.0"),
    ("a string for a list", "", "[build]\ninherit_env = \"PATH\""),
    ("a string for a number", "", "[[source]]\nurl = \"https://a/b.tar\"\nstrip = \"1\""),
    ("a string for a boolean", "", "[build]\nnetwork = \"no\""),
    ("a table for a list of tables", "[[contents]]", "[contents]"),
    ("a value of no list", "", "[build]\nsandbox = \"docker\""),
    ("a mode that no package has", "src = \"bin\"", "src = \"bin\"\nmode = \"0777\""),
    ("a number that is too large", "", "[[source]]\nurl = \"https://a/b.tar\"\nstrip = 1000"),
    ("a group in upper case", "com.example", "com.Example"),
    ("an id with a slash", "\"hello\"", "\"a/b\""),
    ("a version with a space", "\"1.0.0\"", "\"1 0\""),
    ("an unknown platform", "version = \"1.0.0\"", "version = \"1.0.0\"\nplatforms = [\"any\", \"vax-vms\"]"),
    ("a platform twice", "version = \"1.0.0\"", "version = \"1.0.0\"\nplatforms = [\"any\", \"any\"]"),
    ("no platform", "version = \"1.0.0\"", "version = \"1.0.0\"\nplatforms = []"),
    ("an empty text", "version = \"1.0.0\"", "version = \"1.0.0\"\nlicense = \" \""),
    ("a control character", "version = \"1.0.0\"", "version = \"1.0.0\"\nlicense = \"\\u001b[31m\""),
    ("a README outside", "version = \"1.0.0\"", "version = \"1.0.0\"\nreadme = \"../README\""),
    ("an unknown variable", "src = \"bin\"", "src = \"bin/${vars.jdk}\"\n[vars]\njkd = \"1\""),
    ("an unknown part of the package", "src = \"bin\"", "src = \"bin/${package.name}\""),
    ("a variable of a strange name", "", "[vars]\n\"a b\" = \"x\""),
    ("a variable that is no string", "", "[vars]\nport = 8080"),
    ("no origin", "", "[[source]]\ndst = \"x\""),
    ("two origins", "", "[[source]]\npath = \".\"\ngit = \"https://a/b\"\ncommit = \"0\""),
    ("an absolute path", "", "[[source]]\npath = \"/src\""),
    ("a URL without its digest", "", "[[source]]\nurl = \"https://a/b.tar\""),
    ("a digest that is none", "", "[[source]]\nurl = \"https://a/b.tar\"\nsha256 = \"abc\""),
    ("a digest without a URL", "", "[[source]]\npath = \".\"\nsha256 = \"abc\""),
    ("a URL of another scheme", "", "[[source]]\nurl = \"ftp://a/b.tar\"\nsha256 = \"abc\""),
    (
        "strip without an archive",
        "",
        "[[source]]\nurl = \"https://a/b.jar\"\nsha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\nstrip = 1",
    ),
    ("git without a commit", "", "[[source]]\ngit = \"https://a/b\""),
    ("a branch for a commit", "", "[[source]]\ngit = \"https://a/b\"\ncommit = \"main\""),
    ("a commit without git", "", "[[source]]\npath = \".\"\ncommit = \"main\""),
    ("a repository that is an option", "", "[[source]]\ngit = \"--upload-pack=x\"\ncommit = \"main\""),
    ("a glob that is none", "", "[[source]]\npath = \".\"\nexcludes = [\"a[\"]"),
    ("a patch outside", "", "[[source]]\npath = \".\"\npatches = [\"../p\"]"),
    ("an empty script", "", "[build]\nbuild = \"\""),
    ("a timeout without a unit", "", "[build]\ntimeout = \"30\""),
    ("a timeout above the limit", "", "[build]\ntimeout = \"25h\""),
    ("a timeout of nothing", "", "[[tests]]\nname = \"a\"\nrun = \"true\"\ntimeout = \"500ms\""),
    ("a variable's name that no shell takes", "", "[build]\nenv = { \"A-B\" = \"x\" }"),
    ("a variable that pkgbuild sets", "", "[build]\ninherit_env = [\"COPKG_DESTDIR\"]"),
    ("nothing in the package", "[[contents]]\nsrc = \"bin\"\n", ""),
    ("contents without a source", "src = \"bin\"", "dst = \"bin\""),
    ("contents from outside", "src = \"bin\"", "src = \"../bin\""),
    ("contents to outside", "src = \"bin\"", "src = \"bin\"\ndst = \"/bin\""),
    ("a file to the top", "src = \"bin\"", "src = \"bin\"\ndst = \".\"\ntype = \"file\""),
    ("an unknown type", "src = \"bin\"", "src = \"bin\"\ntype = \"directory\""),
    ("a directory with a source", "src = \"bin\"", "src = \"bin\"\ntype = \"dir\""),
    ("a directory without a place", "src = \"bin\"", "type = \"dir\""),
    ("a symlink without a target", "src = \"bin\"", "dst = \"bin\"\ntype = \"symlink\""),
    (
        "a symlink to an absolute path",
        "src = \"bin\"",
        "src = \"/bin/sh\"\ndst = \"bin/sh\"\ntype = \"symlink\"",
    ),
    (
        "a mode for a symlink",
        "src = \"bin\"",
        "src = \"a\"\ndst = \"b\"\nmode = \"0644\"\ntype = \"symlink\"",
    ),
    ("configuration outside etc", "src = \"bin\"", "src = \"a.conf\"\ntype = \"config\""),
    ("excludes of a file", "src = \"bin\"", "src = \"a\"\ntype = \"file\"\nexcludes = [\"b\"]"),
    ("a service section without a service", "version = \"1.0.0\"", "version = \"1.0.0\"\nkind = \"content\""),
    ("an unknown kind", "version = \"1.0.0\"", "version = \"1.0.0\"\nkind = \"app\""),
    ("an empty command line", "\"bin/hello\"", "\"\""),
    ("a command line of two lines", "\"bin/hello\"", "\"a\\nb\""),
    ("a PID file without a command line", "exec = \"bin/hello\"", "pid_file = \"run/x.pid\""),
    ("a signal that stops nothing", "exec =", "stop_signal = \"KILL\"\nexec ="),
    ("a user that is none", "exec =", "user = \"Root User\"\nexec ="),
    ("a directory outside", "exec =", "directories = [\"data/a\", \"../b\"]\nexec ="),
    ("a parameter twice", "", "[[service.parameters]]\nname = \"a\"\n[[service.parameters]]\nname = \"a\""),
    ("a parameter's strange name", "", "[[service.parameters]]\nname = \"A b\""),
    ("a parameter of every script", "", "[[service.parameters]]\nname = \"runtime-dir\""),
    ("a test twice", "", "[[tests]]\nname = \"a\"\nrun = \"true\"\n[[tests]]\nname = \"a\"\nrun = \"true\""),
    ("an empty test", "", "[[tests]]\nname = \"a\"\nrun = \"\""),
    ("an allowance without a reason", "", "[lint]\nallow = [{ rule = \"setuid\" }]"),
    ("an allowance with an empty reason", "", "[lint]\nallow = [{ rule = \"setuid\", reason = \"\" }]"),
    ("a limit with a typing error", "", "[service.limits]\nmemmory = \"1 GiB\""),
    ("memory in a short notation", "", "[service.limits]\nmemory = \"512M\""),
    ("a limit that is a table", "", "[service.limits]\nmemory = { max = 1 }"),
    ("processors as a percentage", "", "[service.limits]\ncpu = \"150%\""),
    ("a umask that is a number", "exec =", "umask = 27\nexec ="),
    ("a umask that keeps the owner out", "exec =", "umask = \"0777\"\nexec ="),
    ("a variable of pkginstall", "", "[service.env]\nCOPKG_SERVICE = \"x\""),
    ("a variable of the loader", "", "[service.env]\nLD_PRELOAD = \"x.so\""),
    ("a variable that is a list", "", "[service.env]\nA = [\"x\"]"),
    ("a file with variables elsewhere", "exec =", "env_file = [\"/etc/default/web\"]\nexec ="),
];

#[test]
fn every_mistake_is_reported_with_its_line_its_key_and_a_way_out() {
    let mut all = String::new();
    for (name, old, new) in MISTAKES {
        let text = if old.is_empty() { with(new) } else { SMALL.replacen(old, new, 1) };
        assert_ne!(text, SMALL, "{name}: {old:?} is not in the recipe");
        let Err(error) = Recipe::parse(&text) else { panic!("{name} is accepted") };
        let _ = writeln!(all, "# {name}\n{}\ncode: {}\n", Failure::of(&error), error.code());
    }
    insta::assert_snapshot!(all);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\[?\\[(package|source|build|service|vars)\\]?\\]|[a-z]{1,8} = |\"[^\"]{0,9}\"|[\\n{},=.$]){0,24}") {
        let _ = Recipe::parse(&text);
    }

    #[test]
    fn a_change_of_one_byte_never_makes_the_parser_panic(at in 0..SMALL.len(), byte in 32u8..127) {
        let mut bytes = SMALL.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Recipe::parse(std::str::from_utf8(&bytes).unwrap());
    }

    #[test]
    fn a_text_without_a_reference_stays_as_it_is(text in "[a-z$ {%:/-]{0,30}") {
        let recipe = format!("{SMALL}[[tests]]\nname = \"a\"\nrun = 'x{text}'\n");
        prop_assert_eq!(parse(&recipe).tests[0].script.clone(), format!("x{text}"));
    }

    #[test]
    fn a_coordinate_comes_out_as_it_went_in(group in "[a-z][a-z0-9]{0,5}(\\.[a-z0-9]{1,5}){0,3}", id in "[a-z][a-z0-9-]{0,8}", version in "[0-9][0-9a-z.+~-]{0,8}") {
        let text = SMALL.replace("com.example", &group).replace("\"hello\"", &format!("{id:?}")).replace("\"1.0.0\"", &format!("{version:?}"));
        prop_assert_eq!(parse(&text).package.coordinate.to_string(), format!("{group}:{id}:{version}"));
    }
}
