//! The account that a service runs as.

use std::ffi::CString;
use std::io;

use copkg_spec::coordinate::PackageCoordinate;
use nix::unistd::{User, getgrouplist};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::ServiceError;
use crate::runtime::Owner;

/// An account of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its home directory.
    pub home: String,
    user: u32,
    group: u32,
    groups: Vec<u32>,
}

/// Who the processes of a service are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunAs {
    /// Whoever runs us.
    Ourselves,
    /// An account that root becomes for it.
    Account(Account),
}

impl RunAs {
    /// Decides for a package whose recipe names `user`. The second value is true to say that the name was not honoured.
    ///
    /// # Errors
    /// When root is to become a user that does not exist.
    pub fn resolve(
        package: &PackageCoordinate,
        user: Option<&str>,
        we_are: u32,
    ) -> Result<(Self, Honoured), ServiceError> {
        let Some(name) = user else { return Ok((Self::Ourselves, Honoured::Yes)) };
        let account = Account::named(name)?;
        if we_are != 0 {
            let honoured = account.is_some_and(|account| account.user == we_are);
            return Ok((Self::Ourselves, if honoured { Honoured::Yes } else { Honoured::No }));
        }
        let missing = || ServiceError::UnknownUser { package: package.clone(), name: name.to_owned() };
        let account = account.ok_or_else(missing)?;
        let run_as = if account.user == 0 { Self::Ourselves } else { Self::Account(account) };
        Ok((run_as, Honoured::Yes))
    }

    /// Returns who the runtime directory belongs to.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Ourselves => Owner::Ourselves,
            Self::Account(account) => Owner::Account { user: account.user, group: account.group },
        }
    }

    /// Returns the user that every process of the service must have, where that is known.
    pub fn user(&self) -> Option<u32> {
        match self {
            Self::Ourselves => None,
            Self::Account(account) => Some(account.user),
        }
    }
}

/// Whether the user that a recipe names is the one that the service gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honoured {
    /// It is.
    Yes,
    /// We are not root and cannot.
    No,
}

/// Returns the name and the home directory of a user, where the host knows it.
pub(super) fn name_and_home(user: u32) -> Option<(String, String)> {
    let user = User::from_uid(nix::unistd::Uid::from_raw(user)).ok().flatten()?;
    Some((user.name, user.dir.to_string_lossy().into_owned()))
}

impl Account {
    fn named(name: &str) -> Result<Option<Self>, ServiceError> {
        let failed = |error: nix::Error| ServiceError::UserLookup { name: name.into(), source: error.into() };
        let Some(user) = User::from_name(name).map_err(failed)? else { return Ok(None) };
        let c_name = CString::new(name).map_err(|_| failed(nix::Error::EINVAL))?;
        let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
        Ok(Some(Self {
            name: user.name,
            home: user.dir.to_string_lossy().into_owned(),
            user: user.uid.as_raw(),
            group: user.gid.as_raw(),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
        }))
    }

    /// Makes the calling thread this account, for good. What it starts then is this account too.
    ///
    /// The kernel keeps credentials for each thread. To be called in a thread of its own, which ends afterwards.
    pub(crate) fn become_in_this_thread(&self) -> io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().map(|&group| Gid::from_raw(group)).collect();
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        // Groups first: without root nobody may set them.
        set_thread_groups(&groups)?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> PackageCoordinate {
        "com.example:web:1".parse().unwrap()
    }

    #[test]
    fn a_user_that_is_not_there_is_an_error_for_root_and_a_warning_for_others() {
        let error = RunAs::resolve(&package(), Some("no-such-user-here"), 0).unwrap_err();
        assert!(matches!(error, ServiceError::UnknownUser { .. }));
        let resolved = RunAs::resolve(&package(), Some("no-such-user-here"), 1000).unwrap();
        assert_eq!(resolved, (RunAs::Ourselves, Honoured::No));
    }

    #[test]
    fn nobody_has_to_be_named() {
        assert_eq!(RunAs::resolve(&package(), None, 0).unwrap(), (RunAs::Ourselves, Honoured::Yes));
        assert_eq!(RunAs::resolve(&package(), Some("root"), 0).unwrap(), (RunAs::Ourselves, Honoured::Yes));
    }
}
