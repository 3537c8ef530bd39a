//! Tests of templates: what they know, what they refuse, and what an error says.

use std::collections::BTreeMap;

use super::*;
use crate::manifest::Parameter;

fn settings() -> BTreeMap<SettingName, Setting> {
    let setting = |kind| Setting {
        kind,
        default: None,
        optional: true,
        min: None,
        max: None,
        choices: Vec::new(),
        description: None,
    };
    let kinds = [
        ("port", SettingKind::Integer),
        ("peers", SettingKind::List),
        ("wait", SettingKind::Duration),
        ("cache", SettingKind::Size),
        ("password", SettingKind::Secret),
        ("unset", SettingKind::String),
        ("missing", SettingKind::String),
    ];
    kinds.into_iter().map(|(name, kind)| (name.parse().unwrap(), setting(kind))).collect()
}

fn parameters() -> Vec<Parameter> {
    vec![Parameter { name: "listen-port".parse().unwrap(), default: None, description: None }]
}

fn checked(text: &str) -> Result<TemplateText, TemplateError> {
    let template = TemplateText::parse("etc/web.conf.j2", text)?;
    template.check(Uses { settings: &settings(), parameters: &parameters() })?;
    Ok(template)
}

fn rendered(text: &str) -> Result<String, TemplateError> {
    let value = |value: SettingValue| Some(value);
    let values = [
        ("port", value(SettingValue::Integer(8080))),
        ("peers", value(SettingValue::List(vec!["a".into(), "b".into()]))),
        ("wait", value(SettingValue::Text("1m30s".into()))),
        ("cache", value(SettingValue::Text("64KiB".into()))),
        ("password", value(SettingValue::Text("hunter2".into()))),
        ("unset", None),
    ];
    let template = checked(text)?;
    template.render(
        &Facts {
            service: &"1.web.prod.osl".parse().unwrap(),
            package: &"com.example:web:1.2".parse().unwrap(),
            runtime_dir: "/p/runtime/1.web.prod.osl",
            software_dir: "/p/software/com/example/web/1.2",
            prefix: "/p",
            parameters: &BTreeMap::from([("listen-port".into(), "80".into())]),
            values: &values.into_iter().map(|(name, value)| (name.parse().unwrap(), value)).collect(),
        },
        Shown::NoValues,
    )
}

#[test]
fn a_template_knows_values_parameters_and_where_it_is() {
    assert_eq!(rendered("port = {{ config.port + 1 }}\n").unwrap(), "port = 8081\n");
    assert_eq!(rendered("{{ parameter.listen_port }}").unwrap(), "80");
    assert_eq!(rendered("{{ config.wait | seconds }} {{ config.cache | bytes }}").unwrap(), "90 65536");
    assert_eq!(
        rendered("{{ service.coordinate }} {{ service.instance }} {{ service.cell }}").unwrap(),
        "1.web.prod.osl 1 osl"
    );
    assert_eq!(
        rendered("{{ package.group }}:{{ package.id }}:{{ package.version }}").unwrap(),
        "com.example:web:1.2"
    );
    assert_eq!(rendered("{{ runtime_dir }}/data <&>").unwrap(), "/p/runtime/1.web.prod.osl/data <&>");
    assert_eq!(rendered("{{ content.site }}").unwrap(), "/p/content/site/active");
    assert_eq!(rendered("{{ content['my-site'] }}").unwrap(), "/p/content/my-site/active");
}

#[test]
fn lines_with_nothing_but_statements_leave_no_line() {
    let text = "[peers]\n{% for peer in config.peers %}\n{{ peer }} = 1\n{% endfor %}\nend\n";
    assert_eq!(rendered(text).unwrap(), "[peers]\na = 1\nb = 1\nend\n");
}

#[test]
fn an_optional_setting_without_a_value_can_be_asked_for() {
    assert_eq!(rendered("{% if config.unset is none %}-{% else %}+{% endif %}").unwrap(), "-");
}

#[test]
fn what_nobody_declared_is_found_when_the_package_is_built() {
    for (text, line, key) in [
        ("a\n{{ config.prot }}\n", 2, "config.prot"),
        ("{{ parameter.port }}", 1, "parameter.port"),
        ("\n\n{% if hostname %}x{% endif %}", 3, "hostname"),
        ("{{ service.colour }}", 1, "service.colour"),
    ] {
        let error = checked(text).unwrap_err();
        assert_eq!(
            (error.file.as_str(), error.line, error.key.as_str()),
            ("etc/web.conf.j2", line, key),
            "{error}"
        );
    }
}

#[test]
fn what_has_no_value_is_an_error_with_file_line_and_key() {
    let error = rendered("a = 1\nb = {{ config.missing }}\n").unwrap_err();
    assert_eq!(error.to_string(), "etc/web.conf.j2, line 2: config.missing: it has no value");
    let error = rendered("{% if config.missing %}x{% endif %}").unwrap_err();
    assert_eq!(error.key, "config.missing");
    let error = rendered("\n{{ config['nothing'] }}").unwrap_err();
    assert_eq!((error.line, error.key.as_str()), (2, "config['nothing']"));
}

#[test]
fn wrong_syntax_is_an_error_with_file_and_line() {
    let error = checked("a\n{{ config.port \n").unwrap_err();
    assert_eq!(error.file, "etc/web.conf.j2");
    assert!(error.line >= 2, "{error}");
}

#[test]
fn an_error_never_repeats_a_secret() {
    for text in [
        "{{ config.password | int }}",
        "{{ config.password + 1 }}",
        "{{ config.password | bytes }}",
        "{{ config.password.x.y }}",
    ] {
        let error = rendered(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_template_that_uses_a_secret_says_so() {
    let secret = |text: &str| checked(text).unwrap().may_hold_a_secret(&settings());
    assert!(secret("{{ config.password }}"));
    assert!(secret("{% if config.password %}x{% endif %}"));
    assert!(secret("{{ config['pass' ~ 'word'] }}"));
    assert!(!secret("{{ config.port }}"));
}

#[test]
fn a_template_without_end_is_stopped() {
    let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
    assert!(rendered(endless).is_err());
}
