//! What units are called, and which systemd they are for.

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::host::Prefix;

/// Which systemd manages the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// That of the host.
    System,
    /// That of the user.
    User,
}

impl Manager {
    /// Returns `systemctl` with its option.
    pub(super) fn systemctl(self) -> Vec<String> {
        let user = (self == Self::User).then(|| "--user".to_owned());
        std::iter::once("systemctl".to_owned()).chain(user).collect()
    }
}

/// Returns the name of the unit of `service`.
pub fn unit_name(prefix: &Prefix, service: &ServiceCoordinate) -> String {
    format!("{}-{service}.service", base(prefix))
}

/// Returns the name of the target of all services of a prefix.
pub fn target_name(prefix: &Prefix) -> String {
    format!("{}.target", base(prefix))
}

/// Returns the name of the unit that puts right, at boot, what a crash left below a prefix.
pub(super) fn recovery_name(prefix: &Prefix) -> String {
    format!("{}-recover.service", base(prefix))
}

/// Returns the name of the unit of the agent of a prefix.
pub(super) fn agent_name(prefix: &Prefix) -> String {
    format!("{}-agent.service", base(prefix))
}

/// Returns the name, without its end, of the units that make a round for what follows channels.
pub(super) fn round_name(prefix: &Prefix) -> String {
    format!("{}-follow", base(prefix))
}

/// Two prefixes of one host have different names.
fn base(prefix: &Prefix) -> String {
    if prefix.root() == "/" {
        return "copkg".into();
    }
    format!("copkg-{}", &Digest::of(prefix.root().as_str().as_bytes()).to_string()[..8])
}
