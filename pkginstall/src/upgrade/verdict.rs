//! What a rehearsal that passed says: of which change, and of which settings and configuration.
//!
//! It is kept with the service, and can be handed to another host ([`super::attest`]). It holds as long as everything that counted is
//! what it was: both packages, every setting and parameter that nothing stood in for, the configuration that they make, and
//! what was changed in it by hand.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use copkg_spec::canonical;
use copkg_spec::configuration::SettingValue;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::durable;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::UpgradeError;
use super::network::RehearsalNetwork;
use super::stand_ins::{Replaced, name_of};
use crate::conditions;
use crate::configure::{self, Values};
use crate::generation::{Generation, GenerationError, Generations, write_json};
use crate::host::Prefix;
use crate::service::{InstalledService, ServiceError};

/// What came of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// The service.
    pub service: ServiceCoordinate,
    /// The package that was rehearsed.
    pub package: PackageCoordinate,
    /// Its digest: this one, and no other, was rehearsed.
    pub digest: Digest,
    /// The digest of the package that the service runs.
    pub from: Digest,
    /// The parameters that it was started with, with what stood in.
    pub parameters: Vec<String>,
    /// The values that stood in for those of the service, by the names of settings and parameters.
    pub replaced: BTreeMap<String, SettingValue>,
    /// What counted of the configuration.
    #[serde(flatten)]
    pub basis: Basis,
    /// The network that it had.
    pub network: RehearsalNetwork,
    /// When.
    pub time: Timestamp,
    /// Until when it counts.
    pub expires: Timestamp,
    /// How long migration, start and trial took, in milliseconds.
    pub took_milliseconds: u64,
    /// Bytes of data and configuration that were copied; shared blocks count.
    pub copied_bytes: u64,
}

/// What of the configuration counted, as digests: the same on every host where the same was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Of the values of settings, parameters and conditions, but those that something stood in for. Of a secret: of its reference.
    pub settings: Digest,
    /// Of the configuration that is rendered from them and from what stood in, without the directories of this host, and of
    /// what was changed in it by hand.
    pub configuration: Digest,
}

impl Basis {
    /// Finds out what counts of the change of `from` to `installed` with `parameters`.
    pub(super) fn of(
        prefix: &Prefix,
        from: &Generation,
        installed: &InstalledService,
        parameters: &[String],
        replaced: &Replaced,
    ) -> Result<Self, ServiceError> {
        let service = &from.service;
        let values = Values::read(prefix, service, &installed.package, &installed.service)?;
        let counts = |name: &str| !replaced.contains_key(name);
        let settings: BTreeMap<_, _> = values
            .iter()
            .filter(|(name, _)| counts(name.as_str()))
            .map(|(name, value)| (name, &value.value))
            .collect();
        let conditions =
            conditions::resolve(prefix, service, &installed.service.conditions)?.list().into_iter();
        let conditions: BTreeMap<String, String> = conditions
            .map(|(name, value)| (name.to_string(), value))
            .filter(|(name, _)| counts(name.as_str()))
            .collect();
        let mut options: Vec<&String> =
            parameters.iter().filter(|option| name_of(option).is_none_or(counts)).collect();
        options.sort();
        let rendered = configure::render_portable(prefix, installed, service, parameters, replaced)?;
        let by_hand = edits(prefix, from)?;
        Ok(Self {
            settings: digest_of(
                &json!({ "settings": settings, "parameters": options, "conditions": conditions }),
            ),
            configuration: digest_of(&json!({ "rendered": rendered, "by_hand": by_hand })),
        })
    }
}

/// The changes by hand: of each file its lines that went and those that came. Of a file that may hold a secret only that it changed.
fn edits(prefix: &Prefix, from: &Generation) -> Result<BTreeMap<String, Vec<String>>, ServiceError> {
    let rendered = Generations::of(prefix, &from.service).etc(from.number);
    let is_change =
        |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---");
    let lines = |diff: &String| diff.lines().filter(is_change).map(str::to_owned).collect();
    let edits = configure::edits(prefix, &from.service, &rendered)?.into_iter();
    Ok(edits.map(|edit| (edit.path.to_string(), edit.diff.as_ref().map(lines).unwrap_or_default())).collect())
}

fn digest_of(value: &serde_json::Value) -> Digest {
    // Every number in it is whole.
    Digest::of(&canonical::to_vec(value).unwrap_or_default())
}

/// The change that a verdict shall be about.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsable<'a> {
    /// The service.
    pub service: &'a ServiceCoordinate,
    /// The installed package.
    pub package: &'a PackageCoordinate,
    /// The parameters; those that it has when left out.
    pub parameters: Option<&'a [String]>,
    /// What time it is.
    pub now: Timestamp,
}

impl Rehearsed {
    /// Tells whether the change was rehearsed here with success.
    ///
    /// # Errors
    /// When it was not, or something that counted is another now.
    pub fn check_own(prefix: &Prefix, change: Rehearsable<'_>) -> Result<(), UpgradeError> {
        let digest = InstalledService::open(prefix, change.package)?.digest;
        let verdict = std::fs::read(file(prefix, change.service, digest)).ok();
        let verdict = verdict.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        match verdict {
            Some(verdict) => verdict.check(prefix, change),
            None => Err(refused(change, digest, "no rehearsal of it has passed here")),
        }
    }

    /// Checks that this verdict is about the change, and still holds.
    ///
    /// # Errors
    /// When it is not; with what is another.
    pub(super) fn check(&self, prefix: &Prefix, change: Rehearsable<'_>) -> Result<(), UpgradeError> {
        let installed = InstalledService::open(prefix, change.package)?;
        let from = Generations::of(prefix, change.service).current()?;
        let why = match from.filter(|from| from.digest == self.from) {
            _ if self.service != *change.service => format!("the rehearsal was one of {}", self.service),
            _ if self.package != *change.package => format!("the rehearsal was one of {}", self.package),
            _ if self.digest != installed.digest => "the rehearsal was one of another build of it".into(),
            _ if self.expires <= change.now => format!("the rehearsal counted until {}", self.expires),
            None => "the service ran another package when it was rehearsed".into(),
            Some(from) => {
                let parameters = change.parameters.unwrap_or(&from.parameters);
                let now = Basis::of(prefix, &from, &installed, parameters, &self.replaced)?;
                if now.settings != self.basis.settings {
                    "its settings or parameters are not those that were rehearsed".into()
                } else if now.configuration != self.basis.configuration {
                    "its configuration is not the one that was rehearsed".into()
                } else {
                    return Ok(());
                }
            }
        };
        Err(refused(change, installed.digest, &why))
    }

    /// Writes the verdict down, durably.
    pub(super) fn write(&self, prefix: &Prefix) -> Result<(), GenerationError> {
        let path = file(prefix, &self.service, self.digest);
        let directory = path.parent().unwrap_or(&path);
        durable::create_dir_all(directory.as_std_path()).map_err(GenerationError::file("write", &path))?;
        write_json(&path, self)
    }

    /// Withdraws the verdict on a package.
    pub(super) fn withdraw(prefix: &Prefix, service: &ServiceCoordinate, digest: Digest) {
        // One that cannot be removed was not written by us either.
        let _ = std::fs::remove_file(file(prefix, service, digest));
    }
}

fn refused(change: Rehearsable<'_>, digest: Digest, why: &str) -> UpgradeError {
    let (service, package) = (change.service.clone(), change.package.clone());
    UpgradeError::NotRehearsed { service, package, digest, why: why.to_owned() }
}

fn file(prefix: &Prefix, service: &ServiceCoordinate, digest: Digest) -> Utf8PathBuf {
    prefix.service_state(service).join("rehearsals").join(format!("{digest}.json"))
}
