//! The environment of a script: what is kept, what is set, and nothing else.

use std::collections::BTreeMap;

use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::RunAs;
use crate::host::Prefix;
use crate::runtime::RuntimeDirectory;

/// What a script gets of our own environment.
const KEPT: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"];

/// What PATH is where we have none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Is set for every script of a rehearsal, and so for the service itself.
pub(crate) const REHEARSAL: &str = "COPKG_REHEARSAL";

/// Returns the environment of a script of `package` for `service`, without the mark of a start. `given` are the variables of
/// its conditions.
pub(super) fn environment(
    ours: &BTreeMap<String, String>,
    prefix: &Prefix,
    (package, service): (&PackageCoordinate, &ServiceCoordinate),
    runtime: &RuntimeDirectory,
    run_as: &RunAs,
    given: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let kept = ours.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
    let mut all: BTreeMap<String, String> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    all.entry("PATH".into()).or_insert_with(|| DEFAULT_PATH.into());
    if let RunAs::Account(account) = run_as {
        all.remove("TMPDIR");
        all.insert("HOME".into(), account.home.clone());
        all.insert("USER".into(), account.name.clone());
        all.insert("LOGNAME".into(), account.name.clone());
    }
    for (name, value) in [
        // Software is read-only, and what Python would leave in it is nothing of the package's.
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ("COPKG_SERVICE", service.to_string()),
        ("COPKG_PACKAGE", package.to_string()),
        ("COPKG_PREFIX", prefix.root().to_string()),
        ("COPKG_RUNTIME_DIR", runtime.path().to_string()),
        ("COPKG_SOFTWARE_DIR", prefix.install_dir(package).to_string()),
    ] {
        all.insert(name.into(), value);
    }
    all.extend(given);
    if prefix.is_rehearsal() {
        all.insert(REHEARSAL.into(), "1".into());
    }
    all
}
