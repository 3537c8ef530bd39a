//! Tests of descriptions as a whole: what is accepted, what a host gets of it, and how each mistake is reported.

mod lock;
mod mistakes;
mod resolved;

use super::*;

/// The text of a `deployment.toml` with every key.
const EVERY_KEY: &str = include_str!("every-key.toml");
/// The text of an environment with every key.
const EVERY_ENVIRONMENT_KEY: &str = include_str!("every-environment-key.toml");

/// A deployment of one service.
const SMALL: &str = r#"
[deployment]
group = "com.example"
id = "shop"
version = "1.0.0"

[values.port]
type = "integer"

[service.web]
package = "com.example:web"
version = "1.2.0"
settings = { port = "{{ values.port }}" }

[role.all]
services = ["web"]
"#;

/// An environment of it.
const SMALL_ENVIRONMENT: &str = r#"
cell = "here"
user = "dev"

[values]
port = 8080

[host.laptop]
roles = ["all"]
address = "127.0.0.1"
"#;

fn parsed(text: &str) -> Deployment {
    Deployment::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn environment(text: &str, deployment: &Deployment) -> Environment {
    let name = "prod".parse().unwrap();
    Environment::parse(&name, text, deployment).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_key_is_read() {
    insta::assert_debug_snapshot!(parsed(EVERY_KEY));
}

#[test]
fn every_key_of_an_environment_is_read() {
    insta::assert_debug_snapshot!(environment(EVERY_ENVIRONMENT_KEY, &parsed(EVERY_KEY)));
}

#[test]
fn the_schemas_are_what_they_were() {
    insta::assert_snapshot!("schema", serde_json::to_string_pretty(&schema()).unwrap());
    insta::assert_snapshot!(
        "environment_schema",
        serde_json::to_string_pretty(&environment_schema()).unwrap()
    );
}

#[test]
fn the_examples_have_every_key_of_the_schemas() {
    for (schema, example) in [(schema(), EVERY_KEY), (environment_schema(), EVERY_ENVIRONMENT_KEY)] {
        let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        let keys = tables.filter_map(|table| table["properties"].as_object()).flat_map(|keys| keys.keys());
        for key in keys {
            assert!(example.contains(key.as_str()), "{key} is not in the example");
        }
    }
}

#[test]
fn an_environment_gives_what_the_deployment_leaves_open() {
    let deployment = parsed(SMALL);
    let environment = environment(SMALL_ENVIRONMENT, &deployment);
    let host = resolve(&deployment, &environment, &"laptop".parse().unwrap()).unwrap();
    let [web] = host.services.as_slice() else { panic!("{host:?}") };
    assert_eq!(web.service.to_string(), "1.web.dev.here");
    assert_eq!(web.package.to_string(), "com.example:web:1.2.0");
}
