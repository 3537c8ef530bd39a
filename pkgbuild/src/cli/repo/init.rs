//! `pkgbuild repo init DIR`: the founding of a repository, on a machine that no network reaches.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{Passphrase, PublicKey, SecretKey};
use copkg_spec::repository::Registrar;
use copkg_spec::repository::ceremony::{Endings, Founders, Speakers};
use serde_json::json;

use super::finish::{ChangeFileError, expires};
use super::place::{OwnerKeys, public_keys};
use crate::cli::Context;
use crate::cli::server::missing_text;
use crate::keys::{KeyFiles, generate};
use crate::repository::{AppointError, FoundError, Founding};

#[derive(Debug, Args)]
pub(in crate::cli) struct Init {
    /// The directory to write to: metadata/ goes to the server, keys/ does not
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The server's public key, a file or ed25519:…
    #[arg(long, value_name = "PUB", required = true)]
    online_key: Vec<PathBuf>,
    /// The public key of somebody who speaks for root; repeat it for several
    #[arg(long, value_name = "PUB")]
    root_key: Vec<PathBuf>,
    /// How many keys for root to make here [default: 1, or none beside --root-key]
    #[arg(long, value_name = "N")]
    root_keys: Option<usize>,
    /// How many of root's keys must sign [default: more than half]
    #[arg(long, value_name = "M")]
    root_threshold: Option<u32>,
    /// The public key of somebody who speaks for targets and the registrar; repeat it for several
    #[arg(long, value_name = "PUB")]
    targets_key: Vec<PathBuf>,
    /// How many keys for targets and the registrar to make here [default: 1, or none beside --targets-key]
    #[arg(long, value_name = "N")]
    targets_keys: Option<usize>,
    /// How many of the keys of targets, and of the registrar, must sign [default: more than half]
    #[arg(long, value_name = "M")]
    targets_threshold: Option<u32>,
    /// Into how many roles the registrar is divided: 16 for some thousand groups, 256 for more
    #[arg(long, value_name = "1|16|256", default_value = "1", value_parser = division)]
    registrar_roles: Registrar,
    /// For how many days the first metadata counts [default: 365]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    expires_in: Option<u16>,
    #[command(flatten)]
    keys: OwnerKeys,
    /// Say what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
}

fn division(text: &str) -> Result<Registrar, String> {
    serde_json::from_value(json!(text)).map_err(|_| "it is 1, 16 or 256".to_owned())
}

/// The keys of one role: some that others made, some that are made here.
struct Wanted<'a> {
    name: &'static str,
    given: Vec<PublicKey>,
    made: usize,
    threshold: Option<u32>,
    directory: &'a Path,
}

pub(super) fn run(args: &Init, context: &mut Context) -> Result<Exit, Failure> {
    let directory = context.path(&args.directory);
    let (metadata, keys) = (directory.join("metadata"), directory.join("keys"));
    let online = Speakers::new(public_keys(&args.online_key, context)?, 1).map_err(AppointError::from)?;
    let root = Wanted::new("root", (&args.root_key, args.root_keys), args.root_threshold, &keys, context)?;
    let targets = Wanted::new(
        "targets",
        (&args.targets_key, args.targets_keys),
        args.targets_threshold,
        &keys,
        context,
    )?;
    root.check()?;
    targets.check()?;
    if metadata.join("1.root.json").exists() {
        let source = std::io::ErrorKind::AlreadyExists.into();
        return Err(FoundError::Write { path: metadata.join("1.root.json"), source }.into());
    }
    if args.dry_run {
        let made = [&root, &targets].into_iter().flat_map(Wanted::files).collect::<Vec<_>>();
        let document = json!({ "changed": false, "metadata": metadata, "keys": made });
        context.report.data(&document, || rehearsed(&metadata, &made));
        return Ok(Exit::Ok);
    }
    let mut signers = args.keys.read(context)?;
    let passphrase =
        if root.made + targets.made == 0 { None } else { args.keys.passphrase().for_new_key(context)? };
    durable::create_dir_all(&keys).map_err(|source| ChangeFileError::Write { path: keys.clone(), source })?;
    let made: Vec<PathBuf> = [&root, &targets].into_iter().flat_map(Wanted::files).collect();
    let root = root.speakers(passphrase.as_ref(), &mut signers)?;
    let targets = targets.speakers(passphrase.as_ref(), &mut signers)?;
    let end = expires(args.expires_in, context);
    let founders =
        Founders { root, registrar: targets.clone(), targets, division: args.registrar_roles, online };
    let foundation = founders.found(Endings { root: end, targets: end, registrar: end });
    let mut founding = Founding::new(foundation.map_err(AppointError::from)?)?;
    founding.sign(&signers)?;
    founding.write(&metadata, Existing::Keep)?;
    if passphrase.is_none() && !made.is_empty() {
        context.report.note("the new keys have no passphrase: whoever can read the files can sign");
    }
    report(&founding, &directory, Some(&made), context);
    Ok(Exit::Ok)
}

/// Signs what [`run`] wrote, with the keys of one more founder.
pub(super) fn sign(
    directory: &Path,
    keys: &[SecretKey],
    dry_run: bool,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let metadata = directory.join("metadata");
    let mut founding = Founding::read(&metadata)?;
    context.report.note(founding.describe().join("\n"));
    if dry_run {
        let document = json!({ "changed": false, "missing_signatures": founding.missing() });
        context.report.data(&document, || "nothing was signed".to_owned());
        return Ok(Exit::Ok);
    }
    founding.sign(keys)?;
    founding.write(&metadata, Existing::Replace)?;
    report(&founding, directory, None, context);
    Ok(Exit::Ok)
}

/// Says what there is, with the keys that were `made`; who only signs has read it before.
fn report(founding: &Founding, directory: &Path, made: Option<&[PathBuf]>, context: &mut Context) {
    let (missing, fingerprint) = (founding.missing(), founding.fingerprint());
    let metadata = directory.join("metadata");
    let document = json!({
        "changed": true,
        "metadata": metadata,
        "keys": made.unwrap_or_default(),
        "fingerprint": fingerprint.filter(|_| missing.is_empty()),
        "missing_signatures": missing,
    });
    context.report.data(&document, || {
        let mut lines = Vec::new();
        if let Some(made) = made {
            lines = founding.describe();
            if !made.is_empty() {
                lines.push("\nkeep each of these offline, in a place of its own, with a copy; none may ever reach the server:".into());
                lines.extend(made.iter().map(|file| format!("  {}", file.display())));
            }
            lines.push(String::new());
        }
        if missing.is_empty() {
            lines.extend(fingerprint.map(|fingerprint| {
                format!("fingerprint {fingerprint}\n  tell it to everybody who is to trust this repository")
            }));
            lines.push(format!(
                "next, on the server: repo-server init --store URL --metadata {} --signing-key FILE",
                metadata.display()
            ));
        } else {
            lines.push(format!("it waits for signatures: {}", missing.iter().map(missing_text).collect::<Vec<_>>().join("; ")));
            lines.push(format!("next: pkgbuild repo sign {} --signing-key FILE", directory.display()));
        }
        lines.join("\n")
    });
}

fn rehearsed(metadata: &Path, made: &[PathBuf]) -> String {
    let files = made.iter().map(|file| format!("would make {}", file.display()));
    files.chain([format!("would write {}", metadata.display())]).collect::<Vec<_>>().join("\n")
}

impl<'a> Wanted<'a> {
    fn new(
        name: &'static str,
        (given, made): (&[PathBuf], Option<usize>),
        threshold: Option<u32>,
        directory: &'a Path,
        context: &Context,
    ) -> Result<Self, Failure> {
        let given = public_keys(given, context)?;
        let made = made.unwrap_or(usize::from(given.is_empty()));
        Ok(Self { name, given, made, threshold, directory })
    }

    /// More than half, unless somebody said otherwise.
    fn threshold(&self) -> u32 {
        let all = u32::try_from(self.given.len() + self.made).unwrap_or(u32::MAX);
        self.threshold.unwrap_or(all / 2 + 1)
    }

    /// Checks the threshold before any key is made.
    fn check(&self) -> Result<(), AppointError> {
        let keys = self.given.len() + self.made;
        let threshold = self.threshold();
        let fits = NonZeroUsize::new(threshold as usize).is_some_and(|threshold| threshold.get() <= keys);
        if fits {
            Ok(())
        } else {
            Err(copkg_spec::repository::ceremony::CeremonyError::Threshold { threshold, keys }.into())
        }
    }

    fn names(&self) -> Vec<KeyFiles> {
        (1..=self.made)
            .map(|number| KeyFiles::of(&self.directory.join(format!("{}-{number}", self.name))))
            .collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.names().into_iter().map(|files| files.secret).collect()
    }

    /// Makes the keys that are wanted; they sign too.
    fn speakers(
        self,
        passphrase: Option<&Passphrase>,
        signers: &mut Vec<SecretKey>,
    ) -> Result<Speakers, Failure> {
        let threshold = self.threshold();
        let mut keys = self.given.clone();
        for files in self.names() {
            let key = generate(&files, passphrase)?;
            keys.push(key.public());
            signers.push(key);
        }
        Ok(Speakers::new(keys, threshold).map_err(AppointError::from)?)
    }
}
