//! The boot id: a process of another boot is gone, whatever its number.

use std::fs;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::ProcessError;

/// Names one boot of one kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(String);

impl BootId {
    /// Returns the boot that we live in.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn current() -> Result<Self, ProcessError> {
        /// No process outlives its boot.
        static CURRENT: OnceLock<BootId> = OnceLock::new();
        if let Some(current) = CURRENT.get() {
            return Ok(current.clone());
        }
        let path = "/proc/sys/kernel/random/boot_id";
        let text =
            fs::read_to_string(path).map_err(|source| ProcessError::Proc { path: path.into(), source })?;
        Ok(CURRENT.get_or_init(|| Self(text.trim().to_owned())).clone())
    }

    /// Takes an id that was written down.
    pub fn recorded(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
