//! `--sandbox`: how the scripts of a recipe are kept apart from the machine, whatever the recipe says.

use clap::{Args, ValueEnum};
use copkg_spec::recipe::Sandbox;

#[derive(Debug, Args)]
pub(super) struct SandboxChoice {
    /// What keeps the scripts from changing this machine [default: what the recipe says, else auto]
    #[arg(long, value_name = "HOW")]
    sandbox: Option<How>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    /// The strictest of the next three that works here
    Auto,
    /// bubblewrap
    Bubblewrap,
    /// Namespaces of the kernel
    Namespaces,
    /// Landlock: scripts cannot write outside of the build, and root's run as nobody
    Landlock,
    /// Nothing: scripts can change and delete whatever you can
    None,
}

impl SandboxChoice {
    pub(super) fn chosen(&self) -> Option<Sandbox> {
        self.sandbox.map(|how| match how {
            How::Auto => Sandbox::Auto,
            How::Bubblewrap => Sandbox::Bubblewrap,
            How::Namespaces => Sandbox::Namespaces,
            How::Landlock => Sandbox::Landlock,
            How::None => Sandbox::None,
        })
    }
}
