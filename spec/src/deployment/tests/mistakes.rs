//! How each mistake of a description is reported: file, line, key, and the name that was probably meant.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::command::{Explain as _, Failure};

/// Mistakes of a `deployment.toml`: a name, what is replaced (nothing: the text is added), and by what.
const MISTAKES: [(&str, &str, &str); 41] = [
    ("no TOML", "[values.port]", "[values.port"),
    ("an unknown table", "[values.port]", "[valeus.port]"),
    ("an unknown key", "version = \"1.2.0\"", "verison = \"1.2.0\""),
    ("an unknown key of a value", "type = \"integer\"", "type = \"integer\"\ndefualt = 1"),
    ("a missing key", "version = \"1.0.0\"", ""),
    (
        "no service",
        "[service.web]\npackage = \"com.example:web\"\nversion = \"1.2.0\"\nsettings = { port = \"{{ values.port }}\" }",
        "[service]",
    ),
    ("a value of the wrong type", "\"com.example:web\"", "7"),
    ("instances of the wrong type", "settings =", "instances = \"two\"\nsettings ="),
    ("a number that is too large", "settings =", "ports = [70000]\nsettings ="),
    ("an unknown type of a value", "\"integer\"", "\"number\""),
    ("an id that is none", "id = \"shop\"", "id = \"Shop\""),
    ("the version in the package", "\"com.example:web\"", "\"com.example:web:1.2.0\""),
    ("the channel in the package", "\"com.example:web\"", "\"com.example:web@stable\""),
    ("no version", "version = \"1.2.0\"", ""),
    ("version and channel", "version = \"1.2.0\"", "version = \"1.2.0\"\nchannel = \"stable\""),
    ("a version that is followed", "version = \"1.2.0\"", "version = \"1.2.0\"\nfollow = true"),
    ("a service that is not there", "settings =", "after = [\"wbe\"]\nsettings ="),
    ("a service that waits for itself", "settings =", "after = [\"web\"]\nsettings ="),
    (
        "services that wait for one another",
        "settings = { port = \"{{ values.port }}\" }",
        "after = [\"b\"]\n[service.b]\npackage = \"a:b\"\nversion = \"1\"\nafter = [\"c\"]\n[service.c]\npackage = \"a:c\"\nversion = \"1\"\nafter = [\"b\"]\n[role.more]\nservices = [\"b\", \"c\"]",
    ),
    ("a service without a role", "services = [\"web\"]", "services = []"),
    ("a role with an unknown service", "services = [\"web\"]", "services = [\"web\", \"wep\"]"),
    ("a memory that is no size", "settings =", "limits = { memory = \"much\" }\nsettings ="),
    ("a limit of nothing", "settings =", "limits = { pids = 0, cpu = \"0\" }\nsettings ="),
    ("a number of processors that is none", "settings =", "limits = { cpu = \"150%\" }\nsettings ="),
    ("an unknown value", "{{ values.port", "{{ values.prot"),
    ("all values at once", "{{ values.port }}", "{{ values['port'] }}"),
    ("an unknown name", "{{ values.port", "{{ hsot.name"),
    ("an unknown part of a host", "{{ values.port", "{{ host.adress"),
    ("an unknown service in a template", "{{ values.port", "{{ services.wep"),
    ("a template that does not end", "{{ values.port }}", "{{ values.port"),
    ("a parameter that is a list", "settings =", "parameters = { a = [\"b\"] }\nsettings ="),
    ("a parameter of every script", "settings =", "parameters = { coordinate = \"b\" }\nsettings ="),
    ("the name of a setting", "{ port =", "{ Port ="),
    (
        "a value with a default that breaks its limit",
        "type = \"integer\"",
        "type = \"integer\"\ndefault = 5\nmin = 7",
    ),
    (
        "a computed value with a default",
        "type = \"integer\"",
        "type = \"integer\"\ndefault = 5\ncomputed = \"6\"",
    ),
    (
        "values that are computed of one another",
        "type = \"integer\"",
        "type = \"integer\"\ncomputed = \"{{ values.b }}\"\n[values.b]\ntype = \"integer\"\ncomputed = \"{{ values.port }}\"",
    ),
    (
        "a secret inside a text",
        "settings = {",
        "settings = { url = \"redis://:{{ values.key }}@db\", key = \"{{ values.key }}\",",
    ),
    ("a check that is built in", "", "[[preflight.command]]\nname = \"disk\"\nrun = \"true\""),
    (
        "a command twice, of an unknown role",
        "",
        "[[verify]]\nname = \"a\"\nrun = \"true\"\n[[verify]]\nname = \"a\"\nrun = \"true\"\nroles = [\"al\"]",
    ),
    (
        "a pause that asks nothing of anybody",
        "",
        "[[pause]]\nafter = \"wbe\"\nmessage = \"\"\nunattended = \"continue\"",
    ),
    ("an answer that is none", "", "[[pause]]\nafter = \"web\"\nmessage = \"Go?\"\nunattended = \"yes\""),
];

/// Mistakes of an environment.
const ENVIRONMENT_MISTAKES: [(&str, &str, &str); 19] = [
    ("no TOML", "cell = \"here\"", "cell = here"),
    ("an unknown key", "cell =", "cel ="),
    ("no host", "[host.laptop]\nroles = [\"all\"]\naddress = \"127.0.0.1\"", "[host]"),
    ("a host that is none", "[host.laptop]", "[host.Laptop_1]"),
    ("an unknown role", "\"all\"", "\"al\""),
    ("an address with a port", "127.0.0.1", "127.0.0.1:80"),
    ("no user", "user = \"dev\"", ""),
    ("a value that is not declared", "port = 8080", "prt = 8080"),
    ("a value of the wrong type", "port = 8080", "port = \"8080\""),
    ("a value that is missing", "port = 8080", ""),
    (
        "a value that one host lacks",
        "[values]\nport = 8080",
        "[host.other]\nroles = [\"all\"]\n[host.other.values]\nport = 1",
    ),
    (
        "a template",
        "cell = \"here\"",
        "cell = \"here\"\nservice = { web = { settings = { a = \"{{ host.name }}\" } } }",
    ),
    ("an unknown check", "", "[tolerate.dsik]\nreason = \"It is large.\""),
    ("a tolerance without a reason", "", "[tolerate.disk]\nreason = \" \""),
    ("an unknown service", "", "[service.wbe]\ninstances = 2"),
    ("instances of an unknown service", "", "[host.laptop.instances]\nwbe = 2"),
    ("an instance twice", "", "[host.laptop.instances]\nweb = [1, 1]"),
    ("instances where no role has the service", "", "[host.other]\nroles = []\ninstances = { web = 1 }"),
    ("too many instances", "", "[service.web]\ninstances = 4000000000"),
];

fn changed(text: &str, old: &str, new: &str) -> String {
    let new_text = if old.is_empty() { format!("{text}{new}") } else { text.replacen(old, new, 1) };
    assert_ne!(new_text, text, "{old:?} is not in the file");
    new_text
}

fn shown(name: &str, error: &DescriptionError) -> String {
    format!("# {name}\n{}\ncode: {}\n\n", Failure::of(error), error.code())
}

#[test]
fn every_mistake_is_reported_with_its_line_its_key_and_a_way_out() {
    // One value is a secret, so that its misuse can be shown.
    let small = changed(SMALL, "[values.port]", "[values.key]\ntype = \"secret\"\n\n[values.port]");
    let mut all = String::new();
    for (name, old, new) in MISTAKES {
        let Err(error) = Deployment::parse(&changed(&small, old, new)) else { panic!("{name} is accepted") };
        all.push_str(&shown(name, &error));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn every_mistake_of_an_environment_is_reported_with_its_line_its_key_and_a_way_out() {
    let deployment = parsed(SMALL);
    let name = "dev".parse().unwrap();
    let mut all = String::new();
    for (mistake, old, new) in ENVIRONMENT_MISTAKES {
        let text = changed(SMALL_ENVIRONMENT, old, new);
        let Err(error) = Environment::parse(&name, &text, &deployment) else {
            panic!("{mistake} is accepted")
        };
        all.push_str(&shown(mistake, &error));
    }
    insta::assert_snapshot!(all);
}

/// Mistakes that only show when a host is resolved: what of the deployment, and of the environment, is replaced by what.
const UNRESOLVED: [(&str, [&str; 2], [&str; 2]); 5] = [
    (
        "an address that is missing",
        ["values.port }}\"", "host.address }}\""],
        ["address = \"127.0.0.1\"", ""],
    ),
    ("a filter that fails", ["values.port }}", "values.port | milliseconds }}"], ["", ""]),
    (
        "two instances with one port",
        ["settings =", "ports = [\"{{ values.port }}\"]\ninstances = 2\nsettings ="],
        ["", ""],
    ),
    ("a port that is none", ["settings =", "ports = [\"{{ values.port * 1000 }}\"]\nsettings ="], ["", ""]),
    (
        "a computed value that breaks its limit",
        [
            "[service.web]",
            "[values.double]\ntype = \"integer\"\nmax = 9000\ncomputed = \"{{ values.port * 2 }}\"\n\n[service.web]",
        ],
        ["", ""],
    ),
];

#[test]
fn what_a_host_cannot_be_given_is_reported_with_its_place() {
    let mut all = String::new();
    for (name, [old, new], [environment_old, environment_new]) in UNRESOLVED {
        let deployment = parsed(&changed(SMALL, old, new));
        let text = SMALL_ENVIRONMENT.replacen(environment_old, environment_new, 1);
        let environment = environment(&text, &deployment);
        let error = resolve(&deployment, &environment, &"laptop".parse().unwrap()).unwrap_err();
        all.push_str(&shown(name, &error));
    }
    let deployment = parsed(SMALL);
    let environment = environment(SMALL_ENVIRONMENT, &deployment);
    let error = resolve(&deployment, &environment, &"labtop".parse().unwrap()).unwrap_err();
    all.push_str(&shown("a host that is not there", &error));
    insta::assert_snapshot!(all);
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let mut text = changed(SMALL, "settings =", "settigns =");
    let _ = write!(text, "\n[service.more]\npackage = 3\n\n[retention]\ngenerations = \"few\"\n");
    insta::assert_snapshot!(shown("its shape", &Deployment::parse(&text).unwrap_err()));
    let text = "cell = \"Here\"\n[values]\nprot = 80\n[host.laptop]\nroles = [\"al\"]\naddress = \"a b\"\n";
    let error = Environment::parse(&"dev".parse().unwrap(), text, &parsed(SMALL)).unwrap_err();
    insta::assert_snapshot!("all_mistakes_of_an_environment", shown("its values", &error));
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(at in 0..EVERY_KEY.len(), with in "[a-z\\[\\]{}\"=.,0-9 \n]{0,6}", cut in 0usize..12) {
        let mut text: Vec<char> = EVERY_KEY.chars().collect();
        let end = (at + cut).min(text.len());
        text.splice(at.min(end)..end, with.chars());
        let text: String = text.into_iter().collect();
        if let Ok(deployment) = Deployment::parse(&text) {
            let _ = Environment::parse(&"prod".parse().unwrap(), EVERY_ENVIRONMENT_KEY, &deployment)
                .map(|environment| resolve(&deployment, &environment, &"web1".parse().unwrap()));
        }
    }
}
