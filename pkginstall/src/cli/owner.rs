//! Root in a prefix that belongs to another account: refused before anything is looked at, with the command that does it as its
//! owner.
//!
//! Comes after the prefix is known and before the subcommand. One command as root would leave files that the owner can neither
//! change nor remove, and would run, as root, what the owner may replace.

use std::ffi::OsString;

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain, Failure};
use nix::unistd::{Uid, User};
use thiserror::Error;

use super::{Command, Context};
use crate::host::Prefix;

/// Says whose prefix it is.
#[derive(Debug, Error)]
#[error("{prefix} belongs to {owner}, and you are root")]
struct OfAnother {
    prefix: Utf8PathBuf,
    owner: String,
    /// The command line that does the same as the owner.
    instead: String,
}

impl Explain for OfAnother {
    fn exit(&self) -> Exit {
        Exit::Conflict
    }

    fn code(&self) -> &'static str {
        "prefix_of_another"
    }

    fn hint(&self) -> Option<String> {
        let Self { owner, instead, .. } = self;
        Some(format!("run it as {owner}: {instead}; `--as-root` does it as root all the same"))
    }
}

/// Refuses a command that changes or runs something in a prefix of another account.
pub(super) fn check(command: &Command, context: &Context<'_>, arguments: &[OsString]) -> Result<(), Failure> {
    if context.ambient.user != 0 || context.as_root || command.only_looks() {
        return Ok(());
    }
    let Ok(prefix) = context.prefix() else { return Ok(()) };
    let Some(owner) = owner(&prefix) else { return Ok(()) };
    let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
    let instead = instead(&prefix, owner, user.as_ref(), arguments);
    let owner = user.map_or_else(|| format!("user {owner}"), |user| user.name);
    Err(OfAnother { prefix: prefix.root().to_owned(), owner, instead }.into())
}

/// Returns the account that a prefix belongs to, where that is not root.
fn owner(prefix: &Prefix) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let places = [prefix.state(), prefix.root()];
    let owners = places.into_iter().filter_map(|path| Some(path.symlink_metadata().ok()?.uid()));
    owners.into_iter().find(|owner| *owner != 0)
}

fn instead(prefix: &Prefix, owner: u32, user: Option<&User>, arguments: &[OsString]) -> String {
    let by_number = owner.to_string();
    let as_owner = user.map_or_else(
        || vec!["setpriv", "--reuid", &by_number, "--regid", &by_number, "--clear-groups"],
        |user| vec!["sudo", "-H", "-u", &user.name],
    );
    let mut words: Vec<String> = as_owner.into_iter().map(str::to_owned).collect();
    words.push("pkginstall".into());
    let arguments = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.collect();
    let names_prefix = |word: &String| word == "--prefix" || word.starts_with("--prefix=");
    if !arguments.iter().take_while(|word| *word != "--").any(names_prefix) {
        words.extend(["--prefix".to_owned(), prefix.root().to_string()]);
    }
    words.extend(arguments);
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a shell, where it needs that.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_the_owner_can_be_pasted() {
        let prefix = Prefix::at("/srv/it is".into()).unwrap();
        let arguments = ["/usr/bin/pkginstall", "start", "a:b:1", "--", "--motto=it's"].map(OsString::from);
        let text = instead(&prefix, 4711, None, &arguments);
        let expected = "setpriv --reuid 4711 --regid 4711 --clear-groups pkginstall --prefix '/srv/it is' start a:b:1 -- \
                        '--motto=it'\\''s'";
        assert_eq!(text, expected);
    }
}
