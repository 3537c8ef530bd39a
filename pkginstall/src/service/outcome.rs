//! What a command did to a service.

use super::View;

/// Whether anything was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Something was done.
    Changed,
    /// It was so already.
    Unchanged,
}

/// A service after a command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Whether the command did anything.
    pub change: Change,
    /// How the service is now.
    pub view: View,
}
