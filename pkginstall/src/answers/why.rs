//! Why a service is what it is: from its processes back to the source that its package was built from.

use std::io::BufReader;

use camino::Utf8PathBuf;
use copkg_spec::archive::Head;
use copkg_spec::command::Failure;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::keys::KeyId;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::audit;
use crate::generation::{Event, Generation, GenerationError, Generations, History, Outcome};
use crate::host::Prefix;
use crate::receipts::{self, Receipt};
use crate::repository::{Resolver, Vouched, Wanted};
use crate::service::{self, State};
use crate::tree::Directory;
use crate::trust;

/// The whole way back.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The service.
    pub service: ServiceCoordinate,
    /// Whether it runs.
    pub state: State,
    /// Its processes.
    pub processes: Vec<Process>,
    /// Since when it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What it is.
    pub generation: Generation,
    /// What became of that.
    pub outcome: Outcome,
    /// The change that made it so, from a history whose chain was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Event>,
    /// Whether the generation is what the history says that it was.
    pub generation_as_recorded: bool,
    /// The package, where it is still installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Who signed the package, checked now.
    pub trusted: Trusted,
    /// Which repository vouches for it, by the metadata that is kept here.
    pub vouched: Vouching,
    /// How many files of the installed tree are not what was signed; `None` when it is not installed.
    pub differences: Option<usize>,
    /// What the package says it was built from.
    pub sources: Vec<Source>,
}

/// A process and what it executes.
#[derive(Debug, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Utf8PathBuf>,
}

/// Who vouches for a package.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Trusted {
    /// These keys, which are pinned for its group, signed it.
    Signed {
        /// The keys.
        by: Vec<KeyId>,
    },
    /// Its signatures could not be confirmed with the keys that are pinned now.
    Not {
        /// Why.
        why: String,
    },
}

/// Which repository vouches for a package.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Vouching {
    /// This one, in the metadata of this role.
    By {
        /// The repository, by its name in the configuration.
        repository: String,
        /// The role.
        role: String,
    },
    /// None does: the package came from a file or a plain directory, or what is kept does not say.
    Nobody {
        /// Why.
        why: String,
    },
}

/// What a package was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Where it was.
    pub uri: String,
    /// What it was: `gitCommit …` or `sha256 …`.
    pub digest: String,
}

/// Explains `service`, offline. `resolver` asks what is kept of repositories.
///
/// # Errors
/// When it has no generation, its history is broken, or something cannot be read.
pub fn why(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    resolver: &mut Resolver<'_, '_>,
) -> Result<Answer, Failure> {
    let generations = Generations::of(prefix, service);
    let none = || GenerationError::None { service: service.clone() };
    let generation = generations.current()?.ok_or_else(none)?;
    let view = service::view(prefix, service)?;
    let history = History::read(prefix, service)?;
    let recorded = history.events().iter().rev().find(|event| event.to == generation.number);
    let receipt = receipts::read(prefix, &generation.package)?.filter(|r| r.digest == generation.digest);
    let (trusted, differences, sources) = match &receipt {
        Some(receipt) => package(prefix, receipt)?,
        None => (Trusted::Not { why: "the package is not installed any more".into() }, None, Vec::new()),
    };
    let vouched = match &receipt {
        Some(receipt) => vouching(resolver, receipt),
        None => Vouching::Nobody { why: "the package is not installed any more".into() },
    };
    Ok(Answer {
        vouched,
        service: service.clone(),
        state: view.state,
        processes: view.pids.iter().map(|&pid| process(pid)).collect(),
        since: view.since,
        outcome: generations.outcome(generation.number)?,
        generation_as_recorded: recorded
            .is_some_and(|event| generations.digest(generation.number).is_ok_and(|d| d == event.generation)),
        change: recorded.cloned(),
        generation,
        receipt,
        trusted,
        differences,
        sources,
    })
}

/// Asks the metadata that is kept whether it names this digest.
fn vouching(resolver: &mut Resolver<'_, '_>, receipt: &Receipt) -> Vouching {
    let wanted = Wanted::Exactly(receipt.package.clone());
    let role = match resolver.resolve(&wanted, &receipt.platform).map(|resolved| resolved.vouched) {
        Ok(Vouched::Repository(vouched)) if vouched.digest() == receipt.digest => vouched.role().to_string(),
        Ok(Vouched::Repository(vouched)) => {
            let why =
                format!("its repository vouches for another package of that name: {}", vouched.digest());
            return Vouching::Nobody { why };
        }
        Ok(Vouched::Pins) => return Vouching::Nobody { why: "it lies in a plain directory".into() },
        Err(error) => return Vouching::Nobody { why: Failure::of(&error).message },
    };
    let listed = resolver.list(receipt.package.group(), receipt.package.id());
    let repository = listed.ok().flatten().map(|listed| listed.repository).unwrap_or_default();
    Vouching::By { repository, role }
}

fn process(pid: u32) -> Process {
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    Process { pid, program: program.and_then(|path| Utf8PathBuf::from_path_buf(path).ok()) }
}

fn package(prefix: &Prefix, receipt: &Receipt) -> Result<(Trusted, Option<usize>, Vec<Source>), Failure> {
    let contents = receipts::contents(prefix, receipt)?;
    let tree = Directory::open(&prefix.install_dir(&receipt.package))?;
    let differences = audit::audit(&tree, contents.index(), receipt.modes())?.len();
    let sources = contents.provenance().map(sources).unwrap_or_default();
    Ok((signers(prefix, &receipt.package, receipt.digest)?, Some(differences), sources))
}

/// Checks the signatures that were installed with the package against the keys that are pinned now.
fn signers(prefix: &Prefix, package: &PackageCoordinate, digest: Digest) -> Result<Trusted, Failure> {
    let keyring = trust::read(prefix)?;
    let not = |why: String| Ok(Trusted::Not { why });
    let file = match std::fs::File::open(prefix.head(package)) {
        Ok(file) => file,
        Err(error) => return not(error.to_string()),
    };
    let head = match Head::read(&mut BufReader::new(file)) {
        Ok(head) => head,
        Err(error) => return not(error.to_string()),
    };
    if head.digest() != digest {
        return not("its head is another one than the receipt names".into());
    }
    match head.verify(&keyring) {
        Ok(verified) => Ok(Trusted::Signed { by: verified.signers().to_vec() }),
        Err(error) => not(error.to_string()),
    }
}

/// Reads the materials out of a SLSA provenance. What it is not is no material.
fn sources(provenance: &[u8]) -> Vec<Source> {
    let line = provenance.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let statement: Value = serde_json::from_slice(line).unwrap_or_default();
    let materials = statement.pointer("/predicate/buildDefinition/resolvedDependencies");
    let materials = materials.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    materials.iter().filter_map(source).collect()
}

fn source(material: &Value) -> Option<Source> {
    let (kind, digest) = material.get("digest")?.as_object()?.iter().next()?;
    Some(Source {
        uri: material.get("uri")?.as_str()?.to_owned(),
        digest: format!("{kind} {}", digest.as_str()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_read_out_of_the_provenance() {
        let statement = br#"{"predicate":{"buildDefinition":{"resolvedDependencies":[
            {"uri":"git+https://example.com/web","digest":{"gitCommit":"0123"}},{"uri":"nothing"}]}}}"#;
        let line: Vec<u8> = statement.iter().filter(|byte| **byte != b'\n').copied().collect();
        let expected = Source { uri: "git+https://example.com/web".into(), digest: "gitCommit 0123".into() };
        assert_eq!(sources(&line), [expected]);
        assert_eq!(sources(b"no json"), []);
    }
}
