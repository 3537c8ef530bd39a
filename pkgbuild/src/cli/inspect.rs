//! `pkgbuild inspect FILE`: shows what a package says of itself. Nothing of it is believed: `verify` asks for keys.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use copkg_spec::archive::Contents;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::index::Entry;
use copkg_spec::manifest::Kind;
use serde_json::json;

use super::Context;
use crate::build::Work;
use crate::deployment::{self, DeploymentContents};
use crate::package::OpenPackage;

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The package file
    file: PathBuf,
    /// List the entries, too
    #[arg(long)]
    files: bool,
}

pub(super) fn run(args: &Inspect, context: &mut Context) -> Result<Exit, Failure> {
    let package = OpenPackage::without_trust(&context.path(&args.file))?;
    let contents = package.contents();
    let signers: Vec<String> = package.signers().iter().map(ToString::to_string).collect();
    let mut document = json!({
        "package": contents.manifest().coordinate(),
        "digest": contents.digest(),
        "manifest": contents.manifest(),
        "signers": signers,
        "frames": contents.index().frames().len(),
    });
    if args.files {
        document["entries"] = json!(contents.index().entries());
    }
    let contents = contents.clone();
    let deployment = deployment_in(package, context)?;
    if let Some(deployment) = &deployment {
        let line = |(name, text): &(&str, String)| json!({ "of": name, "text": text });
        document["deployment"] = deployment.iter().map(line).collect();
    }
    context.report.data(&document, || {
        let mut text = describe(&contents, &signers, deployment.unwrap_or_default());
        if args.files {
            text.push_str(&list(&contents));
        }
        text
    });
    Ok(Exit::Ok)
}

/// Returns the services, roles and environments of a deployment, which are in its payload. Nothing for another kind, and for what
/// only says that it is one.
fn deployment_in(
    package: OpenPackage,
    context: &mut Context,
) -> Result<Option<Vec<(&'static str, String)>>, Failure> {
    if package.contents().manifest().kind() != Kind::Deployment {
        return Ok(None);
    }
    let work = Work::new(&context.ambient)?;
    match DeploymentContents::read(package, work.path()) {
        Ok(contents) => Ok(Some(deployment::summary(&contents))),
        Err(error) => {
            context.report.warn(format!("what it deploys cannot be shown: {error}"));
            Ok(None)
        }
    }
}

fn describe(contents: &Contents, signers: &[String], deployment: Vec<(&'static str, String)>) -> String {
    let manifest = contents.manifest();
    let about = manifest.about();
    let members = manifest.members();
    let counts = manifest.counts();
    let mut lines: Vec<(&str, String)> = vec![
        ("package", manifest.coordinate().to_string()),
        ("platform", manifest.platform().to_string()),
        ("kind", format!("{:?}", manifest.kind()).to_lowercase()),
        ("digest", contents.digest().to_string()),
        ("format", manifest.format().version()),
        ("source date", manifest.source_date().to_string()),
    ];
    let texts = [
        ("description", &about.description),
        ("license", &about.license),
        ("homepage", &about.homepage),
        ("maintainer", &about.maintainer),
        ("release note", &about.release_note),
    ];
    lines.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))));
    let has = |there: bool| if there { "yes" } else { "no" };
    lines.push((
        "contents",
        format!(
            "{} files, {} directories, {} symlinks, {} bytes",
            counts.files, counts.directories, counts.symlinks, counts.bytes
        ),
    ));
    lines.push((
        "payload",
        format!("{} bytes compressed, {} frames", members.payload.length, contents.index().frames().len()),
    ));
    lines.push(("sbom", has(members.sbom.is_some()).to_owned()));
    lines.push(("provenance", has(members.provenance.is_some()).to_owned()));
    lines.extend(signers.iter().map(|key| ("signed by", key.clone())));
    if signers.is_empty() {
        lines.push(("signed by", "nobody".to_owned()));
    }
    lines.extend(service(contents));
    lines.extend(deployment);
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        // A text of several lines stays in its column.
        let value = value.replace('\n', "\n               ");
        let _ = writeln!(text, "{name:<14} {value}");
        text
    })
}

fn service(contents: &Contents) -> Vec<(&'static str, String)> {
    let Some(service) = contents.manifest().service() else { return Vec::new() };
    let mut lines = vec![("start", service.start.to_string()), ("stop", service.stop.to_string())];
    let optional = [
        ("check", &service.check),
        ("migrate", &service.migrate),
        ("pre-stop", &service.pre_stop),
        ("admit", &service.admit),
        ("snapshot", &service.snapshot),
    ];
    lines
        .extend(optional.into_iter().filter_map(|(name, script)| Some((name, script.as_ref()?.to_string()))));
    lines.extend(service.user.iter().map(|user| ("user", user.clone())));
    lines.push((
        "times",
        format!(
            "start {} s, settle {} ms, stop {} s with {}",
            service.start_timeout_seconds,
            service.settle_milliseconds,
            service.stop_timeout_seconds,
            service.stop_signal
        ),
    ));
    let upgrade = service.upgrade();
    let data = if upgrade.snapshot { "data copied before" } else { "data left alone" };
    let (strategy, downgrade) = (upgrade.strategy.word(), upgrade.downgrade.word());
    lines.push(("upgrade", format!("{strategy}, {data}, downgrade {downgrade}")));
    lines.extend(service.directories.iter().map(|directory| ("directory", directory.to_string())));
    let conditions = service.conditions.list().into_iter();
    lines.extend(conditions.map(|(name, value)| ("condition", format!("{name} = {value}"))));
    for parameter in &service.parameters {
        let default =
            parameter.default.as_deref().map_or("required".to_owned(), |value| format!("default {value:?}"));
        let description = parameter.description.as_deref().unwrap_or_default();
        lines.push((
            "parameter",
            format!("--{} ({default}) {description}", parameter.name).trim_end().to_owned(),
        ));
    }
    lines
}

fn list(contents: &Contents) -> String {
    contents.index().entries().iter().fold(String::from("\n"), |mut text, entry| {
        let _ = match entry {
            Entry::Directory { path } => writeln!(text, "0755 {:>12} {path}/", "-"),
            Entry::File { path, mode, size, .. } => writeln!(text, "{:04o} {size:>12} {path}", mode.bits()),
            Entry::Symlink { path, target } => writeln!(text, "link {:>12} {path} -> {target}", "-"),
        };
        text
    })
}
