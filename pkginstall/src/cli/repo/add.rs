//! `pkginstall repo add`: what is given is taken, and what was configured before and is not given again is kept.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use copkg_spec::tlog::VerifierKey;
use copkg_spec::trust::GroupPattern;
use serde_json::{Value, json};

use super::super::Context;
use super::super::context::Offline;
use super::{AddError, lock};
use crate::config::{Edited, Origin, add_repository};
use crate::host::Effect;
use crate::metadata::{self, Keeping, Session, keep_pinned};
use crate::repository::{Auth, Base, Network, Place, Repository, Secret, Witnesses};
use crate::trust::{GivenRoot, RootPin, read_root};

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(super) struct Add {
    /// A name for it [default: the one that is configured for the URL, or one that is made of it]
    name: Option<Label>,
    /// Its URL (https, http, file) or directory
    url: String,
    /// The root to begin with: its fingerprint (64 hexadecimal digits) or file, from its owner and not from the repository.
    /// Without one it can only be a plain directory of packages whose groups have keys of their own
    #[arg(long, value_name = "FINGERPRINT|FILE")]
    root: Option<String>,
    /// Pin another root in place of the one that is pinned, and forget what is kept
    #[arg(long, requires = "root")]
    replace_root: bool,
    /// Another copy of it, asked when the ones before fail; several in their order
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// The key of a witness that must have seen the repository's history, as `repo-server witness` prints it; several
    #[arg(long = "witness", value_name = "KEY")]
    witness_keys: Vec<VerifierKey>,
    /// How many of the witnesses must have [default: all]
    #[arg(long, value_name = "NUMBER")]
    witnesses: Option<u32>,
    /// How long a copy may be silent, and take for a file of metadata, before the next one is asked
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
    /// Ask it, and no other, for this group; com.example.* for it and all below it
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<GroupPattern>,
    /// The user for HTTP Basic
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file that holds the password
    #[arg(long, value_name = "FILE", requires = "user", conflicts_with = "password_env")]
    password_file: Option<Utf8PathBuf>,
    /// The environment variable that holds the password
    #[arg(long, value_name = "VARIABLE", requires = "user")]
    password_env: Option<String>,
    /// The file that holds a bearer token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "token_env"])]
    token_file: Option<Utf8PathBuf>,
    /// The environment variable that holds a bearer token
    #[arg(long, value_name = "VARIABLE", conflicts_with = "user")]
    token_env: Option<String>,
    /// What of it is not kept, where it is configured already and nothing else is said: mirrors, witnesses, groups, timeout,
    /// credentials; several, or with commas between them
    #[arg(long, value_name = "WHAT", value_delimiter = ',', hide_possible_values = true)]
    forget: Vec<Aspect>,
    #[command(flatten)]
    offline: Offline,
    /// Only check that it could be added
    #[arg(long)]
    dry_run: bool,
}

/// The longest label.
const MOST_OF_A_NAME: usize = 63;

/// What is configured of a repository beside its place and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Aspect {
    Mirrors,
    Witnesses,
    Groups,
    Timeout,
    Credentials,
}

impl Aspect {
    const ALL: [Self; 5] = [Self::Mirrors, Self::Witnesses, Self::Groups, Self::Timeout, Self::Credentials];

    fn name(self) -> &'static str {
        match self {
            Self::Mirrors => "mirrors",
            Self::Witnesses => "witnesses",
            Self::Groups => "groups",
            Self::Timeout => "timeout",
            Self::Credentials => "credentials",
        }
    }

    /// Says what is configured; nothing where that is nothing.
    fn of(self, repository: &Repository) -> Option<String> {
        let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(", "));
        match self {
            Self::Mirrors => list(repository.mirrors.iter().map(|mirror| mirror.base.to_string()).collect()),
            Self::Groups => list(repository.groups.iter().map(ToString::to_string).collect()),
            Self::Witnesses => repository.witnesses.as_ref().map(ToString::to_string),
            Self::Timeout => repository.first.timeout.map(|timeout| format!("{} s", timeout.as_secs())),
            Self::Credentials => repository.first.auth.as_ref().map(ToString::to_string),
        }
    }

    fn is_given(self, args: &Add) -> bool {
        match self {
            Self::Mirrors => !args.mirrors.is_empty(),
            Self::Witnesses => !args.witness_keys.is_empty() || args.witnesses.is_some(),
            Self::Groups => !args.groups.is_empty(),
            Self::Timeout => args.timeout.is_some(),
            Self::Credentials => args.user.is_some() || args.token_file.is_some() || args.token_env.is_some(),
        }
    }
}

/// The order matters: a repository that is refused changes nothing, and a crash after the configuration is written leaves
/// a cache that the next command fills.
pub(super) fn add(args: &Add, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let effect = Effect::of_dry_run(args.dry_run);
    let given = args.root.as_ref().map(|root| read_root(root, context.working_directory())).transpose()?;
    let base = Base::parse(&args.url, context.working_directory())?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.url, &base, context)?,
    };
    let configured = context.settings.repositories.get(name.as_str());
    let configured = configured.filter(|value| matches!(value.origin, Origin::Prefix(_)));
    let before = configured.map(|value| value.value.clone());
    let repository = repository(args, context, (&name, base), (before.as_ref(), given.as_ref()))?;
    let sources = context.sources_of([repository.clone()]);
    let asking = context.asking(&prefix, args.offline.network(), Keeping::InMemory);
    let bytes = given.as_ref().and_then(|given| given.bytes.as_deref());
    let source = sources.iter().next().filter(|_| args.offline.network() == Network::Online);
    let session = match (source, &repository.root) {
        (Some(source), Some(pin)) => {
            let mut tell = |text: String| context.report.note(text);
            Some(Session::open(&asking, source, (pin, bytes), &mut tell)?)
        }
        _ => None,
    };
    if repository.root.is_none() {
        context.report.note(format!(
            "no root is pinned for {name}: it is asked as a plain directory, whose packages count by the keys of their groups \
             (`pkginstall trust`); --root FINGERPRINT pins that of a repository"
        ));
    }
    let edited = add_repository(&lock(context, &prefix)?, &name, &repository, effect)?;
    if effect == Effect::Real {
        let asking = metadata::Asking { keeping: Keeping::Durable, ..asking };
        match (session, &repository.root, bytes) {
            (Some(session), ..) => session.keep(&asking)?,
            (None, Some(pin), Some(bytes)) => keep_pinned(&asking, name.as_str(), pin, bytes)?,
            _ => {}
        }
    }
    Ok(report(context, (args, edited), before.as_ref(), &repository))
}

/// Returns the name of a repository that is given without one: that under which the place is configured, or one that is made of it.
fn name_of(url: &str, base: &Base, context: &Context) -> Result<Label, AddError> {
    let configured = context.settings.repositories.values();
    let mut known = configured
        .filter(|known| matches!(known.origin, Origin::Prefix(_)) && known.value.first.base == *base);
    if let Some(name) = known.next().and_then(|known| known.value.name.parse().ok()) {
        return Ok(name);
    }
    let text = match base {
        // Rather a forgotten URL than a directory that will be there one day.
        Base::Directory(path) if !url.contains('/') && !path.is_dir() => String::new(),
        Base::Directory(path) => path.file_name().unwrap_or_default().to_owned(),
        Base::Http(url) => {
            let (host, path) = (url.host_str().unwrap_or_default(), url.path().trim_matches('/'));
            let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
            format!("{host}{port}-{path}")
        }
    };
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let label: String = text.chars().map(fits).take(MOST_OF_A_NAME).collect();
    label.trim_matches(['-', '_']).parse().map_err(|_| AddError::NoName { url: url.to_owned() })
}

/// Returns the repository as it will be: what is given, and what `before` has of what is not.
fn repository(
    args: &Add,
    context: &Context,
    (name, base): (&Label, Base),
    (before, given): (Option<&Repository>, Option<&GivenRoot>),
) -> Result<Repository, Failure> {
    let here = context.working_directory();
    let kept = |aspect: Aspect| before.filter(|_| !args.forget.contains(&aspect) && !aspect.is_given(args));
    let given_timeout = args.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    let timeout = given_timeout.or_else(|| kept(Aspect::Timeout)?.first.timeout);
    // Credentials are for the place that they were configured for, and are never said at another.
    let known = kept(Aspect::Credentials).filter(|before| before.first.base == base);
    let credentials = auth(args, context).or_else(|| known?.first.auth.clone());
    let mirror = |url: &String| Ok(Place { timeout, ..Place::from(Base::parse(url, here)?) });
    let mirrors = args.mirrors.iter().map(mirror).collect::<Result<Vec<_>, Failure>>()?;
    let kept_mirror = |mirror: &Place| Place { timeout: given_timeout.or(mirror.timeout), ..mirror.clone() };
    let kept_mirrors = |before: &Repository| before.mirrors.iter().map(kept_mirror).collect();
    let root = pin((args, name), before, given)?;
    Ok(Repository {
        name: name.to_string(),
        first: Place { base, auth: credentials, timeout },
        mirrors: kept(Aspect::Mirrors).map_or(mirrors, kept_mirrors),
        groups: kept(Aspect::Groups).map_or_else(|| args.groups.clone(), |before| before.groups.clone()),
        witnesses: witnesses(args, before, root.as_ref())?,
        root,
    })
}

/// Returns the witnesses as they will be: a number alone is a number of those that are configured.
fn witnesses(
    args: &Add,
    before: Option<&Repository>,
    root: Option<&RootPin>,
) -> Result<Option<Witnesses>, Failure> {
    let before = before.filter(|_| !args.forget.contains(&Aspect::Witnesses) && args.witness_keys.is_empty());
    let Some(before) = before.and_then(|before| before.witnesses.as_ref()) else {
        return Ok(Witnesses::new(args.witness_keys.clone(), args.witnesses, root)?);
    };
    let needed = args.witnesses.unwrap_or(before.needed());
    Ok(Witnesses::new(before.keys().to_vec(), Some(needed), root)?)
}

/// Returns the pin as it will be. What is pinned stays, unless somebody says that another root takes its place.
fn pin(
    (args, name): (&Add, &Label),
    before: Option<&Repository>,
    given: Option<&GivenRoot>,
) -> Result<Option<RootPin>, AddError> {
    let before = before.and_then(|before| before.root);
    let new = given.map(|given| given.pin);
    match (before, new) {
        (Some(before), Some(new)) if before != new && !args.replace_root => {
            Err(AddError::Pinned { name: name.clone(), before, new })
        }
        (before, new) => Ok(new.or(before)),
    }
}

/// Says what became of what was configured before: what was kept without being named, and what is another now.
fn report(
    context: &mut Context,
    (args, edited): (&Add, Edited),
    before: Option<&Repository>,
    after: &Repository,
) -> Exit {
    let kept = |aspect: &Aspect| !aspect.is_given(args) && aspect.of(after).is_some();
    let kept: Vec<Aspect> =
        before.map(|_| Aspect::ALL.into_iter().filter(kept).collect()).unwrap_or_default();
    for aspect in &kept {
        let (name, value) = (aspect.name(), aspect.of(after).unwrap_or_default());
        context.report.note(format!("kept from before: {name} {value} (--forget {name} takes it away)"));
    }
    let changes = before.map(|before| changes(before, after)).unwrap_or_default();
    for (name, before, after) in &changes {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        context.report.note(format!("{name}: {} → {}", or_none(before), or_none(after)));
    }
    let is_changed = edited == Edited::Changed && Effect::of_dry_run(args.dry_run) == Effect::Real;
    let kept: Vec<&str> = kept.into_iter().map(Aspect::name).collect();
    let changes: Vec<Value> = changes
        .iter()
        .map(|(name, before, after)| json!({ "what": name, "before": before, "after": after }))
        .collect();
    let document = json!({ "changed": is_changed, "name": after.name, "kept": kept, "changes": changes });
    context.report.data(&document, String::new);
    Exit::Ok
}

/// Lists what is another now, with how it was and how it is.
fn changes(before: &Repository, after: &Repository) -> Vec<(&'static str, Option<String>, Option<String>)> {
    let place = |repository: &Repository| Some(repository.first.base.to_string());
    let root = |repository: &Repository| repository.root.map(|root| root.to_string());
    let first = [("url", place(before), place(after)), ("root", root(before), root(after))];
    let others = Aspect::ALL.into_iter().map(|aspect| (aspect.name(), aspect.of(before), aspect.of(after)));
    first.into_iter().chain(others).filter(|(_, before, after)| before != after).collect()
}

fn auth(args: &Add, context: &Context) -> Option<Auth> {
    let secret = |file: &Option<Utf8PathBuf>, variable: &Option<String>| {
        let file = file.as_ref().map(|path| Secret::File(context.working_directory().join(path)));
        file.or_else(|| variable.clone().map(Secret::Variable))
    };
    let token = secret(&args.token_file, &args.token_env).map(|token| Auth::Bearer { token });
    let basic = || {
        let password = secret(&args.password_file, &args.password_env)?;
        Some(Auth::Basic { user: args.user.clone()?, password })
    };
    token.or_else(basic)
}
