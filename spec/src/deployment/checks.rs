//! What is checked before and after an apply, and where it pauses.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw;
use super::read::Reading;
use super::template::Template;
use crate::configuration::bytes_of;
use crate::coordinate::Label;
use crate::recipe::{Context, Located, Problem, Span};

/// How long a command may take when it does not say.
const COMMAND_TIMEOUT: Span = Span::of_seconds(60);

/// What is checked on a host before anything is stopped there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// Names that must resolve, each to exactly these addresses; to any where the list is empty.
    pub names: BTreeMap<String, Vec<Template>>,
    /// Bytes that must be free beside what the packages need.
    pub disk_bytes: u64,
    /// Accounts that must exist.
    pub users: Vec<String>,
    /// Commands that must be found.
    pub commands: Vec<String>,
    /// Libraries that must be found.
    pub libraries: Vec<String>,
    /// How far the clock may be off; `None`: it is not looked at.
    pub time: Option<Span>,
    /// What must be as it was at the rehearsal: `kernel`, `libc`, or the name of an interpreter.
    pub rehearsed: Vec<String>,
    /// Commands of the author's own.
    pub own: Vec<CheckCommand>,
}

/// A check that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuiltInCheck {
    /// Names resolve to their addresses.
    Names,
    /// Ports are free, or held by the service that should hold them.
    Ports,
    /// There is enough space.
    Disk,
    /// Accounts exist.
    Users,
    /// Commands are found.
    Commands,
    /// Libraries are found.
    Libraries,
    /// The clock is in step.
    Time,
    /// The host is as the one of the rehearsal.
    Rehearsed,
}

impl BuiltInCheck {
    /// Every one, in the order in which they run.
    pub const ALL: [Self; 8] = [
        Self::Names,
        Self::Ports,
        Self::Disk,
        Self::Users,
        Self::Commands,
        Self::Libraries,
        Self::Time,
        Self::Rehearsed,
    ];

    /// Returns its name, by which an environment tolerates its failure.
    pub fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Ports => "ports",
            Self::Disk => "disk",
            Self::Users => "users",
            Self::Commands => "commands",
            Self::Libraries => "libraries",
            Self::Time => "time",
            Self::Rehearsed => "rehearsed",
        }
    }
}

/// A command of the author's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckCommand {
    /// Its name.
    pub name: Label,
    /// The shell script.
    pub run: Template,
    /// How long it may take.
    pub timeout: Span,
    /// Runs on hosts with one of these roles; on all when there are none.
    pub roles: BTreeSet<Label>,
}

/// Where an apply pauses and asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The services that are up before it: a service, or those of a role.
    pub after: BTreeSet<crate::coordinate::ServiceLabel>,
    /// What a person is asked.
    pub message: String,
    /// The answer where nobody can be asked.
    pub unattended: Unattended,
}

/// The answer where nobody can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unattended {
    /// Yes: the apply continues.
    Continue,
    /// No: everything is rolled back.
    Rollback,
}

/// How much of the past is kept on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Generations of the deployment, the current one included.
    pub generations: u16,
    /// Days for which a service that the deployment no longer names is kept, stopped.
    pub removed_days: u16,
}

impl Default for Retention {
    fn default() -> Self {
        Self { generations: 5, removed_days: 14 }
    }
}

/// Reads `[preflight]`.
pub(super) fn preflight(raw: raw::Preflight, roles: &BTreeSet<Label>, reading: &Reading<'_>) -> Preflight {
    let at = Context::table("preflight");
    let names = raw.names.into_iter().map(|(name, addresses)| {
        let at = at.key("names").key(&name);
        let parse = |(n, text): (usize, String)| Template::read(&text, &at.item(n), reading);
        (name, addresses.into_iter().enumerate().filter_map(parse).collect())
    });
    let disk = raw.disk.and_then(|text| reading.take(size(&text, &at.key("disk"))));
    let own = commands(raw.command, &at.key("command"), roles, reading);
    for (n, command) in own.iter().enumerate() {
        if BuiltInCheck::ALL.iter().any(|check| check.name() == command.name.as_str()) {
            let problem = Problem::value("name", command.name.as_str(), "a check that is built in has it");
            reading.fail(&at.key("command").item(n).key("name"), problem);
        }
    }
    Preflight {
        names: names.collect(),
        disk_bytes: disk.unwrap_or_default(),
        time: raw.time.and_then(|text| reading.take(at.key("time").parse_option(Some(&text))).flatten()),
        users: words(raw.users, &at.key("users"), reading),
        commands: words(raw.commands, &at.key("commands"), reading),
        libraries: words(raw.libraries, &at.key("libraries"), reading),
        rehearsed: words(raw.rehearsed, &at.key("rehearsed"), reading),
        own,
    }
}

/// Reads `[[verify]]` or `[[preflight.command]]`.
pub(super) fn commands(
    raw: Vec<raw::Command>,
    at: &Context,
    known: &BTreeSet<Label>,
    reading: &Reading<'_>,
) -> Vec<CheckCommand> {
    let mut commands: Vec<CheckCommand> = Vec::new();
    for (n, raw) in raw.into_iter().enumerate() {
        let at = at.item(n);
        let name: Option<Label> = reading.take(at.key("name").parse(&raw.name));
        let run = reading.take(at.key("run").required_text(raw.run));
        let run = run.and_then(|run| Template::read(&run, &at.key("run"), reading));
        let timeout = reading.take(at.key("timeout").timeout(raw.timeout.as_deref(), COMMAND_TIMEOUT));
        let roles = role_names(&raw.roles, &at.key("roles"), known, reading);
        let (Some(name), Some(run), Some(timeout)) = (name, run, timeout) else { continue };
        if commands.iter().any(|other| other.name == name) {
            reading.fail(&at.key("name"), Problem::Twice { what: "command", name: name.to_string() });
        }
        commands.push(CheckCommand { name, run, timeout, roles });
    }
    commands
}

/// Takes names of roles that exist.
pub(super) fn role_names(
    texts: &[String],
    at: &Context,
    known: &BTreeSet<Label>,
    reading: &Reading<'_>,
) -> BTreeSet<Label> {
    let mut roles = BTreeSet::new();
    for (n, text) in texts.iter().enumerate() {
        match known.iter().find(|role| role.as_str() == text) {
            Some(role) => {
                roles.insert(role.clone());
            }
            None => reading.fail(&at.item(n), super::DescriptionProblem::unknown("role", text, known)),
        }
    }
    roles
}

/// Reads a number of bytes.
pub(super) fn size(text: &str, at: &Context) -> Result<u64, Located> {
    let bytes = bytes_of(text).or_else(|why| at.fail(Problem::value("size", text, why)))?;
    u64::try_from(bytes).or_else(|_| at.fail(Problem::value("size", text, "it is not negative")))
}

/// Takes words that go to the host as they are: not empty, without space and control characters.
fn words(texts: Vec<String>, at: &Context, reading: &Reading<'_>) -> Vec<String> {
    for (n, text) in texts.iter().enumerate() {
        if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            reading.fail(&at.item(n), Problem::value("name", text, "it is one word without a slash"));
        }
    }
    texts
}
