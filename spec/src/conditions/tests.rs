//! What conditions may be, and what is said of those that are none.

use super::*;

fn set(name: &str, value: impl Into<Written>) -> Result<Conditions, String> {
    let mut conditions = Conditions::default();
    let name: ConditionName = name.parse().map_err(|error: ConditionError| error.to_string())?;
    conditions.set(&name, &value.into()).map_err(|error| error.to_string())?;
    Ok(conditions)
}

impl From<&str> for Written {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Written {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Written {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

fn shown(name: &str, value: impl Into<Written>) -> String {
    let list = set(name, value).unwrap().list();
    let [(_, value)] = &list[..] else { panic!("{list:?}") };
    value.clone()
}

fn why(name: &str, value: impl Into<Written>) -> String {
    set(name, value).unwrap_err()
}

#[test]
fn limits_are_read_and_shown_as_people_write_them() {
    assert_eq!(shown("limits.nofile", 65536), "65536");
    assert_eq!(shown("limits.nofile", "65536"), "65536");
    assert_eq!(shown("limits.memory", "512 MiB"), "512 MiB");
    assert_eq!(shown("limits.memory", "1500MB"), "1500000000");
    assert_eq!(shown("limits.memory", "unlimited"), "unlimited");
    assert_eq!(shown("limits.pids", 200), "200");
    assert_eq!(shown("limits.cpu", 1.5), "1.5");
    assert_eq!(shown("limits.cpu", 2), "2");
    assert_eq!(shown("limits.cpu", 0.25), "0.25");
    assert_eq!(shown("limits.core", "0"), "0");
    assert_eq!(shown("limits.core", 0), "0");
    assert_eq!(shown("limits.core", "64 MiB"), "64 MiB");
    assert_eq!(shown("limits.require", Written::Boolean(true)), "true");
    assert_eq!(shown("umask", "0027"), "0027");
    assert_eq!(shown("umask", "077"), "0077");
    assert_eq!(shown("env.LANG", "C.UTF-8"), "C.UTF-8");
    assert_eq!(shown("env.WORKERS", 4), "4");
    assert_eq!(
        shown("env_file", Written::List(vec!["etc/web.env".into(), "-etc/local.env".into()])),
        "etc/web.env,-etc/local.env"
    );
}

#[test]
fn nonsense_is_refused_with_what_was_probably_meant() {
    assert_eq!(
        why("limits.memory", "512M"),
        "\"512M\" is not a limit of memory: it is at least 1 MiB and at most 1024 TiB, as in \"512 MiB\", or \"unlimited\"; did you \
         mean \"512 MiB\"?"
    );
    for (name, value, part) in [
        ("limits.memory", "infinity", "did you mean \"unlimited\"?"),
        ("limits.memory", "1 mb", "did you mean \"1 MiB\"?"),
        ("limits.memory", "100", "at least 1 MiB"),
        ("limits.memory", "-1", "did you mean \"unlimited\"?"),
        ("limits.cpu", "150%", "did you mean 1.5?"),
        ("limits.cpu", "0", "from 0.01"),
        ("limits.cpu", "1.2345", "three digits"),
        ("limits.pids", "1", "from 2"),
        ("limits.nofile", "unlimited", "a whole number from 64"),
        ("limits.nofile", "3", "from 64"),
        ("limits.core", "some", "\"0\" for none"),
        ("umask", "27", "three or four octal digits"),
        ("umask", "0089", "three or four octal digits"),
        ("umask", "0700", "its own files"),
        ("umask", "1022", "at most 0777"),
        ("env.COPKG_SERVICE", "x", "pkginstall's own"),
        ("env.LD_PRELOAD", "x", "set it in the start script"),
        ("env.BASH_ENV", "x", "before the first line of a script"),
        ("env.NOTIFY_SOCKET", "x", "systemd says that"),
        ("env.1A", "x", "no digit first"),
        ("env.A-B", "x", "letters, digits"),
        ("env.A", "a\nb", "control character '\\n'"),
        ("env_file", "web.env", "as in \"etc/web.env\""),
        ("env_file", "etc/../web.env", "refused"),
        ("env_file", "etc/a,etc/a", "twice"),
        ("limits.nofiles", "1", "did you mean limits.nofile?"),
        ("memory", "1", "limits.memory"),
        ("envfile", "1", "did you mean env_file?"),
    ] {
        let why = why(name, value);
        assert!(why.contains(part), "{name} = {value}: {why}");
    }
    assert_eq!(
        why("umask", 27),
        "\"27\" is not a umask: an octal number stands between quotes: umask = \"0027\""
    );
    assert!(why("limits.require", "true").contains("without quotes"));
    assert!(why("env.A", Written::Boolean(true)).contains("between quotes, \"true\""));
}

#[test]
fn a_host_overrides_single_conditions() {
    let mut package = Conditions::default();
    for (name, value) in [
        ("limits.nofile", "1000"),
        ("limits.memory", "1 GiB"),
        ("env.A", "1"),
        ("env.B", "2"),
        ("env_file", "etc/a"),
    ] {
        package.set(&name.parse().unwrap(), &value.into()).unwrap();
    }
    let mut host = Conditions::default();
    for (name, value) in
        [("limits.memory", "unlimited"), ("env.B", "3"), ("env_file", "-etc/b"), ("umask", "0077")]
    {
        host.set(&name.parse().unwrap(), &value.into()).unwrap();
    }
    let both = package.overridden_by(host);
    let list: Vec<String> = both.list().iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        list,
        [
            "limits.nofile=1000",
            "limits.memory=unlimited",
            "umask=0077",
            "env.A=1",
            "env.B=3",
            "env_file=-etc/b"
        ]
    );
    assert!(!both.limits.need_group(), "no limit needs no group");
}

#[test]
fn a_manifest_says_conditions_in_whole_numbers_and_reads_them_back() {
    let mut conditions = Conditions::default();
    for (name, value) in
        [("limits.memory", "512 MiB"), ("limits.cpu", "1.5"), ("limits.core", "unlimited"), ("umask", "0027")]
    {
        conditions.set(&name.parse().unwrap(), &value.into()).unwrap();
    }
    let text = serde_json::to_string(&conditions).unwrap();
    assert_eq!(
        text,
        r#"{"limits":{"memory_bytes":536870912,"cpu_thousandths":1500,"core_bytes":"unlimited"},"umask":"0027"}"#
    );
    assert_eq!(serde_json::from_str::<Conditions>(&text).unwrap(), conditions);
    assert!(serde_json::from_str::<Conditions>(r#"{"umask":"27"}"#).is_err());
    assert!(serde_json::from_str::<Conditions>(r#"{"env":{"LD_PRELOAD":"x"}}"#).is_err());
    let tiny: Conditions = serde_json::from_str(r#"{"limits":{"memory_bytes":1}}"#).unwrap();
    assert!(tiny.check().is_err());
}

#[test]
fn the_text_of_a_file_with_variables_is_taken_as_it_stands() {
    let text =
        "# comment\n; comment\n\n A=1 \nB=\"two words\"\nC='$HOME \\n \"'\nD=\nE=a=b # no comment\nA=2\r\n";
    let variables = parse_env_file(text).unwrap();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        variables,
        [("A", "2"), ("B", "two words"), ("C", "$HOME \\n \""), ("D", ""), ("E", "a=b # no comment")]
    );
}

#[test]
fn a_line_that_is_no_variable_is_named_without_its_value() {
    for (text, line, part) in [
        ("A=1\nexport B=2", 2, "without \"export\""),
        ("hunter2", 1, "no NAME=VALUE"),
        ("A=\"hunter2", 1, "does not end with it"),
        ("\nLD_PRELOAD=hunter2", 2, "start script"),
        ("COPKG_PREFIX=hunter2", 1, "pkginstall's own"),
        ("A = hunter2", 1, "letters, digits"),
        ("A=hun\u{7}ter2", 1, "control character"),
    ] {
        let error = parse_env_file(text).unwrap_err();
        assert_eq!(error.line, line, "{text:?}");
        assert!(error.why.contains(part), "{text:?}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
