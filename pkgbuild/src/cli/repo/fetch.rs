//! `pkgbuild repo fetch --repo URL --out DIR`: copies the metadata of a repository, for a machine without network.

use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::durable::{self, Existing};
use copkg_spec::tuf::{Limits, Role, Version};
use serde_json::json;

use super::finish::ChangeFileError;
use crate::cli::Context;
use crate::cli::server::{Root, remote};
use crate::repository::{Expired, View, ViewError, remote::Remote};

#[derive(Debug, Args)]
pub(in crate::cli) struct Fetch {
    /// The URL of the repository
    #[arg(long, value_name = "URL")]
    repo: String,
    #[command(flatten)]
    root: Root,
    /// The directory for the copy; made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Fetch, context: &mut Context) -> Result<Exit, Failure> {
    let directory = context.path(&args.out);
    let remote = remote(&args.repo, context)?;
    let mut view = args.root.reading(&remote, Expired::Shown, context).view(&context.ambient)?;
    let failed = |source| ChangeFileError::Write { path: directory.clone(), source };
    durable::create_dir_all(&directory).map_err(failed)?;
    copy_roots(&view, &remote, &directory)?;
    for group in view.groups()? {
        view.group(&group)?;
    }
    let mut files = 0;
    for (role, metadata) in view.roles() {
        write(&directory, role, metadata.version, metadata.bytes())?;
        files += 1;
    }
    let root = view.root().version;
    let document = json!({
        "changed": true,
        "directory": directory,
        "fingerprint": view.fingerprint(),
        "root_version": root,
        "roles": files,
    });
    context.report.data(&document, || {
        format!("copied to {}: {files} roles, and root up to version {root}", directory.display())
    });
    Ok(Exit::Ok)
}

/// The whole chain: who reads the copy follows it from the first.
fn copy_roots(view: &View<'_>, remote: &Remote, directory: &Path) -> Result<(), Failure> {
    let newest = view.root().version;
    let mut version = Version::FIRST;
    while version < newest {
        let file = Role::Root.versioned_file_name(version);
        let bytes = remote.metadata(&file, Limits::default().root_bytes)?;
        let bytes = bytes.ok_or_else(|| ViewError::NoFirstRoot { url: remote.address().to_string() })?;
        write(directory, &Role::Root, version, &bytes)?;
        version = version.next().unwrap_or(newest);
    }
    write(directory, &Role::Root, newest, view.root().bytes())
}

fn write(directory: &Path, role: &Role, version: Version, bytes: &[u8]) -> Result<(), Failure> {
    let path = directory.join(role.versioned_file_name(version));
    let written = durable::write(&path, 0o644, Existing::Replace, bytes);
    Ok(written.map_err(|source| ChangeFileError::Write { path, source })?)
}
