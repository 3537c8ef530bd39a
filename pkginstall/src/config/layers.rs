//! Layers: which files there are, and which of them decides.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;

use super::file::{self, Fetch, File};
use super::{ConfigError, FetchSettings, Origin, Settings, Value};
use crate::fetch::Limits;
use crate::host::Prefix;
use crate::repository::{Base, Repository};
use crate::unit::Backend;

const SYSTEM: &str = "/etc/copkg/config.toml";
const PROJECT: &str = "copkg.toml";
/// For how many days data is kept that was set aside.
const KEEP_DATA_DAYS: u32 = 30;

const LOCK_TIMEOUT_SECONDS: u32 = 300;
const ROOT: u32 = 0;

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// `--prefix`.
    pub prefix: Option<Utf8PathBuf>,
    /// `--lock-timeout`.
    pub lock_timeout_seconds: Option<u32>,
    /// `--repo`, in place of all that is configured.
    pub repository: Option<String>,
}

/// Where the other layers are.
#[derive(Debug, Clone)]
pub struct Places<'a> {
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The working directory, where relative paths start and the project is looked for.
    pub working_directory: &'a Utf8Path,
    /// The effective user.
    pub user: u32,
}

/// The files that there are, strongest first.
struct Layers(Vec<(Origin, Utf8PathBuf, File)>);

impl Settings {
    /// Reads every layer and resolves them.
    ///
    /// # Errors
    /// When a file cannot be read, or says something that is not understood.
    pub fn load(given: &Given, places: &Places<'_>) -> Result<Self, ConfigError> {
        let mut layers = Layers(Vec::new());
        layers.add_project(places)?;
        let below = layers.0.len();
        layers.add_user(places)?;
        layers.add(Origin::System(SYSTEM.into()), Utf8Path::new(SYSTEM))?;
        let prefix = prefix(given, places, &layers);
        if let Some(prefix) = &prefix {
            layers.add_prefix(&Prefix::at(&prefix.value)?, below)?;
        }
        Ok(Self {
            prefix,
            lock_timeout_seconds: lock_timeout(given, places, &layers)?,
            keep_data_days: keep_data_days(&layers),
            backend: backend(&layers),
            services: services(&layers),
            fetch: fetch(&layers),
            repositories: repositories(given, places, &layers)?,
        })
    }
}

/// Returns a directory of the user: where `variable` says, else `below` the home directory. Values that are no absolute paths count as
/// unset, as the XDG Base Directory Specification has it.
pub(crate) fn user_directory(
    environment: &BTreeMap<String, String>,
    variable: &str,
    below: &str,
) -> Option<Utf8PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| value.starts_with('/'));
    let home = || set("HOME").map(|home| Utf8Path::new(home).join(below));
    set(variable).map(Utf8PathBuf::from).or_else(home)
}

impl Layers {
    fn add(&mut self, origin: Origin, path: &Utf8Path) -> Result<(), ConfigError> {
        // `/etc/copkg/config.toml` is that of the host and that of the prefix `/`: it counts once.
        if self.0.iter().any(|(_, known, _)| known == path) {
            return Ok(());
        }
        if let Some(file) = file::read(path)? {
            self.0.push((origin, path.to_owned(), file));
        }
        Ok(())
    }

    fn add_project(&mut self, places: &Places<'_>) -> Result<(), ConfigError> {
        let candidates = places.working_directory.ancestors().map(|directory| directory.join(PROJECT));
        for path in candidates {
            let Ok(metadata) = path.metadata() else { continue };
            // In a shared directory such as /tmp anybody can leave a file for those who come by.
            if metadata.uid() != places.user && metadata.uid() != ROOT {
                return Err(ConfigError::ForeignProject { path, owner: metadata.uid() });
            }
            return self.add(Origin::Project(path.clone()), &path);
        }
        Ok(())
    }

    fn add_user(&mut self, places: &Places<'_>) -> Result<(), ConfigError> {
        let directory = user_directory(places.environment, "XDG_CONFIG_HOME", ".config");
        let Some(directory) = directory else { return Ok(()) };
        let path = directory.join("copkg/config.toml");
        self.add(Origin::User(path.clone()), &path)
    }

    /// Puts the prefix's file after the first `below` layers, where it belongs.
    fn add_prefix(&mut self, prefix: &Prefix, below: usize) -> Result<(), ConfigError> {
        let path = prefix.config_file().to_owned();
        let before = self.0.len();
        self.add(Origin::Prefix(path.clone()), &path)?;
        if self.0.len() == before {
            return Ok(());
        }
        self.0[below..].rotate_right(1);
        if self.0[below].2.prefix.is_some() {
            let what = "a prefix cannot say where the prefix is".to_owned();
            return Err(ConfigError::Contradiction { path, what });
        }
        Ok(())
    }

    fn first<T: Copy>(&self, get: impl Fn(&File) -> Option<T>) -> Option<Value<T>> {
        let mut found = self.0.iter().filter_map(|(origin, _, file)| Some((origin, get(file)?)));
        found.next().map(|(origin, value)| Value { value, origin: origin.clone() })
    }
}

fn prefix(given: &Given, places: &Places<'_>, layers: &Layers) -> Option<Value<Utf8PathBuf>> {
    let value = |value: Utf8PathBuf, origin| Some(Value { value, origin });
    let here = places.working_directory;
    if let Some(path) = &given.prefix {
        return value(here.join(path), Origin::Flag("--prefix"));
    }
    if let Some(path) = places.environment.get("COPKG_PREFIX").filter(|path| !path.is_empty()) {
        return value(here.join(path), Origin::Environment("COPKG_PREFIX"));
    }
    for (origin, path, file) in &layers.0 {
        if let Some(prefix) = &file.prefix {
            return value(path.parent().unwrap_or(here).join(prefix), origin.clone());
        }
    }
    if places.user == ROOT { value("/".into(), Origin::Default) } else { None }
}

fn lock_timeout(given: &Given, places: &Places<'_>, layers: &Layers) -> Result<Value<u32>, ConfigError> {
    const VARIABLE: &str = "COPKG_LOCK_TIMEOUT";
    if let Some(value) = given.lock_timeout_seconds {
        return Ok(Value { value, origin: Origin::Flag("--lock-timeout") });
    }
    if let Some(text) = places.environment.get(VARIABLE) {
        let value =
            text.parse().map_err(|_| ConfigError::Variable { name: VARIABLE, value: text.clone() })?;
        return Ok(Value { value, origin: Origin::Environment(VARIABLE) });
    }
    let found = layers.first(|file| file.lock_timeout_seconds);
    Ok(found.unwrap_or(Value { value: LOCK_TIMEOUT_SECONDS, origin: Origin::Default }))
}

fn keep_data_days(layers: &Layers) -> Value<u32> {
    let found = layers.first(|file| file.keep_data_days);
    found.unwrap_or(Value { value: KEEP_DATA_DAYS, origin: Origin::Default })
}

fn backend(layers: &Layers) -> Value<Backend> {
    let found = layers.first(|file| file.backend);
    found.unwrap_or(Value { value: Backend::default(), origin: Origin::Default })
}

fn services(layers: &Layers) -> BTreeMap<ServiceCoordinate, Value<Backend>> {
    let mut services = BTreeMap::new();
    for (origin, _, file) in &layers.0 {
        for (service, raw) in &file.services {
            let value = Value { value: raw.backend, origin: origin.clone() };
            services.entry(service.clone()).or_insert(value);
        }
    }
    services
}

fn fetch(layers: &Layers) -> FetchSettings {
    let defaults = Limits::default();
    let seconds = |duration: std::time::Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    let get = |get: fn(&Fetch) -> Option<u32>, default| {
        let found = layers.first(|file| get(&file.fetch));
        found.unwrap_or(Value { value: default, origin: Origin::Default })
    };
    FetchSettings {
        attempts: get(|fetch| fetch.attempts, defaults.attempts),
        connect_timeout_seconds: get(
            |fetch| fetch.connect_timeout_seconds,
            seconds(defaults.connect_timeout),
        ),
        silence_timeout_seconds: get(
            |fetch| fetch.silence_timeout_seconds,
            seconds(defaults.silence_timeout),
        ),
        longest_pause_seconds: get(|fetch| fetch.longest_pause_seconds, seconds(defaults.longest_pause)),
        least_bytes_per_second: get(|fetch| fetch.least_bytes_per_second, defaults.least_rate),
        rate_window_seconds: get(|fetch| fetch.rate_window_seconds, seconds(defaults.rate_window)),
        frame_cache_mib: get(|fetch| fetch.frame_cache_mib, 0),
    }
}

fn repositories(
    given: &Given,
    places: &Places<'_>,
    layers: &Layers,
) -> Result<BTreeMap<String, Value<Repository>>, ConfigError> {
    let mut repositories = BTreeMap::new();
    for (origin, path, file) in &layers.0 {
        for repository in file.repositories(path)? {
            let value = Value { value: repository, origin: origin.clone() };
            repositories.entry(value.value.name.clone()).or_insert(value);
        }
    }
    match named(given, places) {
        None => Ok(repositories),
        Some((url, origin)) => only(&url, origin, places, repositories),
    }
}

fn named(given: &Given, places: &Places<'_>) -> Option<(String, Origin)> {
    let flag = given.repository.clone().map(|url| (url, Origin::Flag("--repo")));
    let variable = || places.environment.get("COPKG_REPO").filter(|url| !url.is_empty()).cloned();
    flag.or_else(|| variable().map(|url| (url, Origin::Environment("COPKG_REPO"))))
}

/// Asks one repository for everything: one that is configured, by its name or URL, or a new one.
fn only(
    named: &str,
    origin: Origin,
    places: &Places<'_>,
    configured: BTreeMap<String, Value<Repository>>,
) -> Result<BTreeMap<String, Value<Repository>>, ConfigError> {
    let by_name = configured.get(named).map(|value| value.value.clone());
    let base = Base::parse(named, places.working_directory).map_err(|source| ConfigError::Repository {
        name: named.split('@').next_back().unwrap_or_default().to_owned(),
        from: origin.to_string(),
        source,
    });
    let repository = if let Some(repository) = by_name {
        repository
    } else {
        let base = base?;
        // What is configured for this place, its root above all, is so for it under this name, too.
        let known = configured.into_values().map(|value| value.value).find(|known| known.first.base == base);
        known.unwrap_or_else(|| Repository::plain(origin.to_string(), base.into()))
    };
    let repository = Repository { groups: Vec::new(), ..repository };
    Ok(BTreeMap::from([(repository.name.clone(), Value { value: repository, origin })]))
}
