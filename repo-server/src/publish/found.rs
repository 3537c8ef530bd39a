//! The first commit of a repository: what the offline ceremony made, in an empty store.

use copkg_spec::repository::Proposal;
use copkg_spec::tuf::{Document, Role, Rule, Time, TufError, Version};

use super::proposed::Proposed;
use super::{PublishError, rules};
use crate::repository::{self, Repository};
use crate::signer::Signer;
use crate::storage::Storage;

/// Founds a repository: checks its first root, targets and registrar, and commits them. A crash leaves either nothing that
/// counts, or a commit that the first server rolls forward.
///
/// # Errors
/// When a file is missing or breaks a rule, or the store fails.
pub async fn found(
    storage: Storage,
    signer: Signer,
    proposal: Proposal,
    now: Time,
) -> Result<Repository, PublishError> {
    let proposed = Proposed::read(proposal)?;
    let absent = |role| TufError { role, rule: Rule::NotInSnapshot };
    let root = proposed.root().ok_or_else(|| absent(Role::Root))?;
    let targets = proposed.targets(&Role::Targets).ok_or_else(|| absent(Role::Targets))?;
    rules::root(root.unverified(), &signer)?;
    let division = rules::targets(targets.unverified())?;
    for name in repository::delegated_names(targets.unverified()) {
        let role = Role::Delegated(name.clone());
        let document = proposed.targets(&role).ok_or_else(|| absent(role))?;
        rules::registrar(division, &name, document.unverified())?;
    }
    for (role, found, _) in proposed.roles() {
        if found != Version::FIRST {
            let next = Some(Version::FIRST);
            return Err(PublishError::Version { role: role.to_string(), next, found });
        }
    }
    let ends =
        proposed.all_targets().iter().map(|(role, targets)| (role.clone(), targets.unverified().expires));
    let root_ends = (Role::Root, Document::unverified(root).expires);
    if let Some((role, expires)) = ends.chain([root_ends]).find(|(_, expires)| *expires <= now) {
        return Err(PublishError::Expired { role: role.to_string(), expires });
    }
    let (roles, files) = proposed.files();
    Ok(Repository::found(storage, signer, roles, &files, now).await?)
}
