//! Who made a change: the account, and the one behind `sudo`.

use std::collections::BTreeMap;
use std::fmt;

use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

/// Who made a change, as far as the host knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The account whose rights were used: its name, or its number where it has none.
    pub user: String,
    /// The account that became that one with `sudo` or `doas`. It is what the environment says, and no proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
}

impl Actor {
    /// Names the account `user`, and whom `environment` names as the one behind it.
    pub fn of(user: u32, environment: &BTreeMap<String, String>) -> Self {
        let account = User::from_uid(Uid::from_raw(user)).ok().flatten();
        let name = account.map_or_else(|| user.to_string(), |account| account.name);
        let behind = ["SUDO_USER", "DOAS_USER"].into_iter().find_map(|variable| environment.get(variable));
        let printable = |name: &&String| !name.is_empty() && !name.chars().any(char::is_control);
        let through = behind.filter(printable).filter(|other| **other != name).cloned();
        Self { user: name, through }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.through {
            Some(other) => write!(f, "{other} as {}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Actor;

    #[test]
    fn the_one_behind_sudo_is_named() {
        let environment = [("SUDO_USER".to_owned(), "ada".to_owned())].into();
        assert_eq!(Actor::of(0, &environment).to_string(), "ada as root");
        assert_eq!(Actor::of(0, &[].into()).to_string(), "root");
        assert_eq!(Actor::of(4_000_000, &[].into()).to_string(), "4000000");
    }
}
