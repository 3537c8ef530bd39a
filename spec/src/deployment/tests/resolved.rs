//! What a host gets of a deployment and an environment.

use std::collections::BTreeMap;

use super::*;
use crate::conditions::Limit;
use crate::configuration::{Setting, SettingKind, SettingValue};

fn host(name: &str) -> HostDeployment {
    let deployment = parsed(EVERY_KEY);
    let environment = environment(EVERY_ENVIRONMENT_KEY, &deployment);
    resolve(&deployment, &environment, &name.parse().unwrap()).unwrap_or_else(|error| panic!("{error}"))
}

fn coordinates(host: &HostDeployment) -> Vec<String> {
    host.services.iter().map(|instance| instance.service.to_string()).collect()
}

fn instance<'h>(host: &'h HostDeployment, coordinate: &str) -> &'h ServiceInstance {
    host.services.iter().find(|instance| instance.service.to_string() == coordinate).unwrap()
}

fn setting(instance: &ServiceInstance, name: &str) -> SettingValue {
    instance.settings[&name.parse().unwrap()].value.clone()
}

fn text(text: &str) -> SettingValue {
    SettingValue::Text(text.into())
}

fn list(items: &[&str]) -> SettingValue {
    SettingValue::List(items.iter().map(|&item| item.to_owned()).collect())
}

#[test]
fn a_host_gets_everything_rendered() {
    insta::assert_debug_snapshot!(host("web1"));
}

#[test]
fn instances_are_started_after_those_they_wait_for() {
    let all = [
        "1.redis.prod.osl",
        "1.web.prod.osl",
        "2.web.prod.osl",
        "1.nginx.edge.osl",
        "1.worker.prod.osl",
        "2.worker.prod.osl",
    ];
    assert_eq!(coordinates(&host("web1")), all);
    let host = host("web1");
    let nginx = instance(&host, "1.nginx.edge.osl");
    let after: Vec<String> = nginx.after.iter().map(ToString::to_string).collect();
    assert_eq!(after, ["1.web.prod.osl", "2.web.prod.osl"]);
}

#[test]
fn a_host_has_the_services_of_its_roles_and_the_instances_that_it_says() {
    let host = host("web2.example.com");
    assert_eq!(coordinates(&host), ["1.redis.prod.osl", "3.web.prod.osl", "1.worker.prod.osl"]);
    assert_eq!(host.values[&"tier".parse().unwrap()].value, text("large"));
    assert_eq!(setting(instance(&host, "1.redis.prod.osl"), "listen"), text("10.0.0.2"));
}

#[test]
fn templates_know_the_instances_of_all_hosts() {
    let host = host("web1");
    let nginx = instance(&host, "1.nginx.edge.osl");
    assert_eq!(setting(nginx, "upstreams"), list(&["10.0.0.1:8001", "10.0.0.1:8002", "10.0.0.2:8003"]));
    assert_eq!(setting(nginx, "front"), text("web1"));
    assert_eq!(nginx.url.as_deref(), Some("http://10.0.0.1:8080/"));
}

#[test]
fn an_environment_overrides_what_a_service_has() {
    let host = host("web1");
    let web = instance(&host, "2.web.prod.osl");
    let workers = &web.parameters[&"workers".parse().unwrap()];
    assert_eq!(workers.value, text("8"));
    assert_eq!(workers.origin.to_string(), "env/prod.toml, line 27, [service.web] parameters.workers");
    assert_eq!(web.parameters[&"port".parse().unwrap()].value, text("8002"));
    assert_eq!(web.limits.memory_bytes, Some(Limit::Most(1 << 30)));
    assert_eq!(web.package.to_string(), "com.example:shop-web@stable");
    assert_eq!(
        instance(&host, "1.worker.prod.osl").package.choice,
        PackageChoice::Follow(Some("stable".parse().unwrap()))
    );
}

#[test]
fn a_pause_comes_after_the_last_instance_that_it_waits_for() {
    assert_eq!(host("web1").pauses[0].after.to_string(), "2.worker.prod.osl");
}

#[test]
fn a_command_runs_on_the_hosts_of_its_roles() {
    assert_eq!(host("web1").verify[0].run, "curl --fail http://10.0.0.1:8080/");
    assert_eq!(host("web2.example.com").verify, []);
    assert_eq!(host("web2.example.com").preflight.own.len(), 1);
}

#[test]
fn other_addresses_reach_every_template() {
    let deployment = parsed(EVERY_KEY);
    let local = |text: &str| text.parse::<HostAddress>().unwrap();
    let addresses = BTreeMap::from([
        ("web1".parse().unwrap(), local("127.0.9.1")),
        ("web2.example.com".parse().unwrap(), local("127.0.9.2")),
    ]);
    let environment = environment(EVERY_ENVIRONMENT_KEY, &deployment).with_addresses(&addresses);
    let host = resolve(&deployment, &environment, &"web1".parse().unwrap()).unwrap();
    let nginx = instance(&host, "1.nginx.edge.osl");
    assert_eq!(setting(nginx, "upstreams"), list(&["127.0.9.1:8001", "127.0.9.1:8002", "127.0.9.2:8003"]));
}

#[test]
fn what_a_template_made_is_read_as_the_setting_declares_it() {
    let deployment = parsed(SMALL);
    let environment = environment(SMALL_ENVIRONMENT, &deployment);
    let host = resolve(&deployment, &environment, &"laptop".parse().unwrap()).unwrap();
    let name = "port".parse().unwrap();
    let declared = |kind, max| Setting {
        kind,
        default: None,
        optional: false,
        min: None,
        max,
        choices: vec![],
        description: None,
    };
    let port = &host.services[0].settings[&name];
    assert_eq!(
        port.declared_as(&name, &declared(SettingKind::Integer, None)),
        Ok(SettingValue::Integer(8080))
    );
    assert_eq!(port.declared_as(&name, &declared(SettingKind::String, None)), Ok(text("8080")));
    let error = port.declared_as(&name, &declared(SettingKind::Integer, Some(1024))).unwrap_err();
    assert_eq!(error.why, "the most is 1024");
    // What is written without a template has the type that it is written with.
    let written = ResolvedValue { computed: false, value: text("8080"), ..port.clone() };
    assert!(written.declared_as(&name, &declared(SettingKind::Integer, None)).is_err());
}

#[test]
fn a_port_has_an_address_or_is_of_all() {
    for (text, shown) in [("80", "80"), ("10.0.0.1:80", "10.0.0.1:80"), ("[::1]:80", "[::1]:80")] {
        assert_eq!(HostPort::parse(text).unwrap().to_string(), shown);
    }
    for text in ["", "0", "70000", ":80", "a b:80", "http"] {
        assert!(HostPort::parse(text).is_err(), "{text:?}");
    }
    let port = |text: &str| HostPort::parse(text).unwrap();
    assert!(port("80").collides_with(&port("10.0.0.1:80")));
    assert!(!port("10.0.0.2:80").collides_with(&port("10.0.0.1:80")));
}

#[test]
fn an_instance_is_held_against_what_its_package_declares() {
    use crate::manifest::{Parameter, Service};
    let script = |name: &str| name.parse().unwrap();
    let declared = |kind, max| Setting {
        kind,
        default: None,
        optional: false,
        min: None,
        max,
        choices: vec![],
        description: None,
    };
    let mut service = Service::new(script("script.d/start"), script("script.d/stop"));
    service.config.insert("port".parse().unwrap(), declared(SettingKind::Integer, Some(9000)));
    let deployment = parsed(SMALL);
    let environment = environment(SMALL_ENVIRONMENT, &deployment);
    let host = resolve(&deployment, &environment, &"laptop".parse().unwrap()).unwrap();
    let [web] = host.services.as_slice() else { panic!("{host:?}") };
    assert!(web.check_against(&service).is_empty());

    service.config.insert("port".parse().unwrap(), declared(SettingKind::Integer, Some(1024)));
    service.config.insert("title".parse().unwrap(), declared(SettingKind::String, None));
    service.parameters.push(Parameter { name: "workers".parse().unwrap(), default: None, description: None });
    let shown = |service: &Service| DescriptionError::of(web.check_against(service)).unwrap().to_string();
    insta::assert_snapshot!("against_limits", shown(&service));
    let port = service.config.remove(&"port".parse().unwrap()).unwrap();
    service.config = std::collections::BTreeMap::from([("prt".parse().unwrap(), port)]);
    service.parameters.clear();
    insta::assert_snapshot!("against_another_name", shown(&service));
}
