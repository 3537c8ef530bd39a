//! Names and numbers of accounts and groups, of a root that need not be this system's.
//!
//! Of the root `/` the system is asked, which also knows accounts that no file lists. Of another root its own `etc/passwd` and
//! `etc/group` count alone.

use std::collections::HashMap;
use std::fs;

use camino::Utf8Path;
use nix::unistd::{Gid, Group, Uid, User};

/// Which kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// An account.
    User,
    /// A group.
    Group,
}

/// The accounts and groups of a root.
#[derive(Debug, Default)]
pub struct Accounts {
    names: HashMap<(AccountKind, u32), Option<String>>,
    numbers: HashMap<(AccountKind, String), Option<u32>>,
    asks_the_system: bool,
}

impl Accounts {
    /// Returns those of `root`.
    pub fn of(root: &Utf8Path) -> Self {
        if root == "/" {
            return Self { asks_the_system: true, ..Self::default() };
        }
        let read = |name: &str| fs::read(root.join(name)).unwrap_or_default();
        Self::from_files(&read("etc/passwd"), &read("etc/group"))
    }

    /// Returns those that the text of `passwd` and `group` lists.
    pub fn from_files(passwd: &[u8], group: &[u8]) -> Self {
        let mut accounts = Self::default();
        accounts.add(AccountKind::User, passwd);
        accounts.add(AccountKind::Group, group);
        accounts
    }

    /// Lets the system be asked for what is not listed.
    #[must_use]
    pub fn or_of_the_system(self) -> Self {
        Self { asks_the_system: true, ..self }
    }

    fn add(&mut self, kind: AccountKind, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines() {
            let mut fields = line.split(':');
            let (name, number) = (fields.next(), fields.nth(1).and_then(|number| number.parse().ok()));
            if let (Some(name), Some(number)) = (name.filter(|name| !name.is_empty()), number) {
                // The first line of a number or a name counts, as in the C library.
                self.names.entry((kind, number)).or_insert_with(|| Some(name.to_owned()));
                self.numbers.entry((kind, name.to_owned())).or_insert(Some(number));
            }
        }
    }

    /// Returns the name of a number.
    pub fn name(&mut self, kind: AccountKind, number: u32) -> Option<String> {
        let asks = self.asks_the_system;
        let ask = || match kind {
            AccountKind::User => Some(User::from_uid(Uid::from_raw(number)).ok()??.name),
            AccountKind::Group => Some(Group::from_gid(Gid::from_raw(number)).ok()??.name),
        };
        self.names.entry((kind, number)).or_insert_with(|| asks.then(ask)?).clone()
    }

    /// Returns the number of a name.
    pub fn number(&mut self, kind: AccountKind, name: &str) -> Option<u32> {
        let asks = self.asks_the_system;
        let ask = || match kind {
            AccountKind::User => Some(User::from_name(name).ok()??.uid.as_raw()),
            AccountKind::Group => Some(Group::from_name(name).ok()??.gid.as_raw()),
        };
        *self.numbers.entry((kind, name.to_owned())).or_insert_with(|| asks.then(ask)?)
    }
}
