//! `pkginstall rehearse`.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde_json::json;

use super::context::Offline;
use super::start::at_site;
use super::upgrade::wanted;
use super::{Context, interruption};
use crate::configure::Accept;
use crate::host::Effect;
use crate::upgrade::{self, RehearsalNetwork, RehearsalRequest, RehearsalValues, Rehearsed, SigningKey};

/// The arguments of `rehearse`.
#[derive(Debug, Args)]
#[command(
    after_help = "Copies data and configuration to a scratch prefix, migrates, starts with other ports, checks, and removes it all.\nThe service itself runs on. A setting or parameter that leads outside of it needs a value for rehearsals. `upgrade --rehearsed` accepts only what passed."
)]
pub(super) struct Rehearse {
    /// The service: instance.service.user.cell
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    /// The version, or the package file, to try; the newest when left out
    #[arg(long, value_name = "VERSION|FILE")]
    to: Option<String>,
    /// The channel whose version to try
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    channel: Option<String>,
    /// The repository to ask: its URL, directory, or name in the configuration [env: `COPKG_REPO`]
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// Whose side to take where a change of the configuration by hand contradicts that of the package
    #[arg(long, value_name = "SIDE")]
    accept: Option<Accept>,
    /// A value for the rehearsal alone, of a setting or a parameter; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// A TOML file with values for the rehearsal alone
    #[arg(long, value_name = "FILE")]
    values: Option<Utf8PathBuf>,
    /// What may lead outside of the service, since nothing is changed there; may be given several times
    #[arg(long, value_name = "NAME")]
    allow_outside: Vec<String>,
    /// The network that it has: loopback alone, which is the default where the kernel allows it, or that of this host
    #[arg(long, value_name = "NETWORK")]
    network: Option<RehearsalNetwork>,
    /// For how many days the verdict counts
    #[arg(long, value_name = "DAYS", default_value_t = VALID_DAYS, value_parser = clap::value_parser!(u16).range(1..))]
    valid_days: u16,
    /// Sign the verdict with this secret key, for another host
    #[arg(long, value_name = "KEY", requires = "output")]
    attest: Option<Utf8PathBuf>,
    /// The file for the signed verdict
    #[arg(short, long, value_name = "FILE", requires = "attest")]
    output: Option<Utf8PathBuf>,
    /// A file whose first line is the passphrase of the key
    #[arg(long, value_name = "FILE", requires = "attest")]
    passphrase_file: Option<Utf8PathBuf>,
    /// Only say what would be rehearsed
    #[arg(long)]
    dry_run: bool,
    /// The parameters that the upgrade will give: --name=value …; those that it has when left out
    #[arg(last = true, value_name = "PARAMETER")]
    parameters: Vec<String>,
}

/// For how many days a verdict counts.
const VALID_DAYS: u16 = 30;

/// This program, even when its file was replaced meanwhile.
const OURSELVES: &str = "/proc/self/exe";

pub(super) fn run(args: &Rehearse, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let here = context.working_directory().to_owned();
    let passphrase = args.passphrase_file.as_ref().map(|file| here.join(file));
    // A key that will not do is found before minutes are spent.
    let key = args.attest.as_ref().map(|file| {
        upgrade::read_signing_key(SigningKey { file: &here.join(file), passphrase: passphrase.as_deref() })
    });
    let key = key.transpose()?;
    let wanted = wanted(context, &args.service, args.to.as_deref(), args.channel.as_deref())?;
    let effect = Effect::of_dry_run(args.dry_run);
    let package = interruption::obtain_one(context, &wanted, args.offline.network(), effect)?;
    if args.dry_run {
        let document = json!({ "changed": false, "service": args.service, "would_rehearse": package });
        context.report.data(&document, || format!("{}: would rehearse {package}", args.service));
        return Ok(Exit::Ok);
    }
    let file = args.values.as_ref().map(|file| here.join(file));
    let mut ourselves = vec![OURSELVES.to_owned()];
    if context.report.options().quiet > 0 {
        ourselves.push("--quiet".into());
    }
    let request = RehearsalRequest {
        service: &args.service,
        package: &package,
        parameters: Some(args.parameters.clone()).filter(|given| !given.is_empty()),
        values: RehearsalValues { file: file.as_deref(), set: &args.set },
        allow_outside: &args.allow_outside,
        accept: args.accept,
        network: args.network,
        valid_days: args.valid_days,
        ourselves: &ourselves,
    };
    let rehearsed = at_site(context, |site| upgrade::rehearse(site, &request))?;
    if let (Some(key), Some(output)) = (&key, &args.output) {
        upgrade::write_attested(&rehearsed, key, &here.join(output))?;
    }
    let document =
        json!({ "changed": true, "passed": true, "rehearsal": rehearsed, "attested": args.output });
    context.report.data(&document, || describe(&rehearsed));
    Ok(Exit::Ok)
}

fn describe(rehearsed: &Rehearsed) -> String {
    let Rehearsed { service, package, digest, took_milliseconds, copied_bytes, .. } = rehearsed;
    let replaced = rehearsed.replaced.iter().map(|(name, value)| format!("{name}={value}"));
    let replaced: Vec<String> = replaced.collect();
    let replaced = if replaced.is_empty() { "nothing".to_owned() } else { replaced.join(" ") };
    format!(
        "{service}: {package} passed\n  digest   {digest}\n  took     {took_milliseconds} ms\n  copied   {copied_bytes} bytes\n  \
         network  {}\n  instead  {replaced}",
        rehearsed.network.words()
    )
}
