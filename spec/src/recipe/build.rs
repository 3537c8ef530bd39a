//! `[build]`: the scripts that turn the source into what is packed.

use std::collections::BTreeMap;

use super::context::Context;
use super::error::Problem;
use super::span::Span;
use super::{Located, raw};

pub use raw::Sandbox;

/// The build scripts and what they run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The scripts that the recipe has, in the order in which they run.
    pub scripts: Vec<Script>,
    /// Variables for the scripts.
    pub env: BTreeMap<String, String>,
    /// Names of variables that are taken over from whoever runs the build.
    pub inherit_env: Vec<String>,
    /// How long each script may take.
    pub timeout: Span,
    /// Whether the scripts may use the network.
    pub network: Network,
    /// How the scripts are kept apart from the machine.
    pub sandbox: Sandbox,
}

/// One build script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Which one it is.
    pub phase: Phase,
    /// The text, for `sh`.
    pub text: String,
}

/// The build's scripts in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Configure, generate, vendor.
    Prepare,
    /// Compile.
    Build,
    /// Run the software's own tests.
    Check,
    /// Put into the destination directory what is packed.
    Install,
}

impl Phase {
    /// Returns the key of the recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Build => "build",
            Self::Check => "check",
            Self::Install => "install",
        }
    }
}

/// Whether scripts may use the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// They may.
    Open,
    /// They may not.
    Closed,
}

const TIMEOUT: Span = Span::of_seconds(30 * 60);

impl Build {
    pub(super) fn resolve(raw: raw::Build, at: &Context) -> Result<Self, Located> {
        check_names(raw.env.keys(), |name| at.key("env").key(name))?;
        for (number, name) in raw.inherit_env.iter().enumerate() {
            check_names([name], |_| at.key("inherit_env").item(number))?;
        }
        let timeout = at.key("timeout").timeout(raw.timeout.as_deref(), TIMEOUT)?;
        let network = if raw.network { Network::Open } else { Network::Closed };
        let scripts = [
            (Phase::Prepare, raw.prepare),
            (Phase::Build, raw.build),
            (Phase::Check, raw.check),
            (Phase::Install, raw.install),
        ];
        let scripts = scripts.into_iter().filter_map(|(phase, text)| text.map(|text| Script { phase, text }));
        let scripts = scripts
            .map(|script| {
                let text = at.key(script.phase.name()).required_text(script.text)?;
                Ok(Script { text, ..script })
            })
            .collect::<Result<_, Located>>()?;
        Ok(Self {
            scripts,
            env: raw.env,
            inherit_env: raw.inherit_env,
            timeout,
            network,
            sandbox: raw.sandbox,
        })
    }
}

fn check_names<'n>(
    names: impl IntoIterator<Item = &'n String>,
    place: impl Fn(&str) -> Context,
) -> Result<(), Located> {
    for name in names {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let why = "it has letters, digits and '_', and no digit first";
            return place(name).fail(Problem::value("name of a variable", name, why));
        }
        if name.starts_with("COPKG_") || name == "SOURCE_DATE_EPOCH" {
            return place(name).fail(Problem::value(
                "name of a variable",
                name,
                "pkgbuild sets this one itself",
            ));
        }
    }
    Ok(())
}
