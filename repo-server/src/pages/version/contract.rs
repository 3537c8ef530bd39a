//! The service contract of a package, and what the service can be told.

use serde_json::Value;

use super::Fact;
use crate::details::Details;
use crate::pages::text::line;

/// Something that the service can be told.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) default: Option<String>,
    pub(super) description: String,
}

/// Lists how the service is run.
pub(super) fn facts(details: &Details) -> Vec<Fact> {
    let Some(service) = details.manifest.service() else { return Vec::new() };
    let script = |name: &str, path: &Option<copkg_spec::index::EntryPath>| {
        path.as_ref().map(|path| Fact::mono(name, line(path.as_str())))
    };
    let mut facts = vec![
        Fact::mono("Start", line(service.start.as_str())),
        Fact::mono("Stop", line(service.stop.as_str())),
    ];
    facts.extend(script("Check", &service.check));
    facts.extend(script("Migrate", &service.migrate));
    facts.extend(script("Before stopping", &service.pre_stop));
    facts.extend(script("Copying its data", &service.snapshot));
    facts.extend(service.user.as_deref().map(|user| Fact::mono("Runs as", line(user))));
    facts.push(Fact::text(
        "Times",
        format!(
            "up to {} s to start, {} ms to settle, {} s to stop, then SIG{}",
            service.start_timeout_seconds,
            service.settle_milliseconds,
            service.stop_timeout_seconds,
            service.stop_signal
        ),
    ));
    if !service.directories.is_empty() {
        let directories: Vec<String> = service.directories.iter().map(|path| line(path.as_str())).collect();
        facts.push(Fact::mono("Directories", directories.join(", ")));
    }
    facts.push(Fact::text("Output", if service.console { "kept in console/" } else { "kept in log/" }));
    facts
}

/// Lists the settings of the configuration, then the parameters of the start script. Read from the manifest as it is, so
/// that a package of a later minor format shows what it has.
pub(super) fn keys(details: &Details) -> Vec<Key> {
    let manifest: Value = serde_json::from_slice(&details.manifest_bytes).unwrap_or_default();
    let settings = manifest["service"]["config"].as_object().into_iter().flatten();
    let mut keys: Vec<Key> = settings.map(|(name, setting)| Key::of_setting(name, setting)).collect();
    let parameters = details.manifest.service().into_iter().flat_map(|service| &service.parameters);
    keys.extend(parameters.map(|parameter| Key {
        name: format!("--{}", parameter.name),
        kind: "parameter".to_owned(),
        default: parameter.default.as_deref().map(line),
        description: parameter.description.as_deref().map(line).unwrap_or_default(),
    }));
    keys
}

impl Key {
    fn of_setting(name: &str, setting: &Value) -> Self {
        let default = match &setting["default"] {
            Value::Null if setting["optional"] == true => Some("none".to_owned()),
            Value::Null => None,
            Value::String(text) => Some(line(text)),
            other => Some(line(&other.to_string())),
        };
        Self {
            name: line(name),
            kind: line(setting["type"].as_str().unwrap_or("setting")),
            default,
            description: line(setting["description"].as_str().unwrap_or_default()),
        }
    }
}
