//! The rules of the lint, by name.

use std::fmt;

use serde::{Serialize, Serializer};

/// A rule of the lint. The names are stable: recipes hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A service without its start script.
    MissingStartScript,
    /// A service without its stop script.
    MissingStopScript,
    /// A file with a set-uid, set-gid or sticky bit.
    SpecialBits,
    /// A file or directory that everyone may write to.
    WorldWritable,
    /// A link that leads to nothing.
    DanglingSymlink,
    /// A file that holds the path of the directory in which it was built.
    BuildPrefix,
    /// A program or library that needs a library which is not there.
    MissingLibrary,
    /// A program that the loader finds no library for, although the package has it.
    UnfoundLibrary,
    /// A secret key.
    SecretKey,
    /// Machine code in a package for every platform.
    NativeCode,
    /// A command line that starts a program which is not there.
    MissingExec,
    /// A command line that names a file which is not there.
    MissingPath,
    /// A file that only its owner could read where it comes from.
    PrivateFile,
    /// A script with an interpreter that is nowhere.
    ScriptInterpreter,
    /// A script whose first line ends in a carriage return.
    ScriptLineEnds,
    /// A pointer of Git LFS in the place of a file.
    LfsPointer,
    /// A version that counts as a pre-release for a word that means nothing.
    OddVersion,
    /// A default that leads outside of the service.
    LeadsOutside,
    /// A umask under which everybody may change the service's files.
    OpenUmask,
    /// A file with variables that must be there and that no template makes.
    UnmadeEnvFile,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It stops the build.
    Error,
    /// It is said, and the build goes on.
    Warning,
}

impl Severity {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 20] = [
        Self::MissingStartScript,
        Self::MissingStopScript,
        Self::SpecialBits,
        Self::WorldWritable,
        Self::DanglingSymlink,
        Self::BuildPrefix,
        Self::MissingLibrary,
        Self::UnfoundLibrary,
        Self::SecretKey,
        Self::NativeCode,
        Self::MissingExec,
        Self::MissingPath,
        Self::PrivateFile,
        Self::ScriptInterpreter,
        Self::ScriptLineEnds,
        Self::LfsPointer,
        Self::OddVersion,
        Self::LeadsOutside,
        Self::OpenUmask,
        Self::UnmadeEnvFile,
    ];

    /// Returns the name that recipes and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingStartScript => "missing-start-script",
            Self::MissingStopScript => "missing-stop-script",
            Self::SpecialBits => "setuid",
            Self::WorldWritable => "world-writable",
            Self::DanglingSymlink => "dangling-symlink",
            Self::BuildPrefix => "build-prefix",
            Self::MissingLibrary => "missing-library",
            Self::UnfoundLibrary => "unfound-library",
            Self::SecretKey => "secret-key",
            Self::NativeCode => "native-code",
            Self::MissingExec => "missing-exec",
            Self::MissingPath => "missing-path",
            Self::PrivateFile => "private-file",
            Self::ScriptInterpreter => "script-interpreter",
            Self::ScriptLineEnds => "script-line-ends",
            Self::LfsPointer => "lfs-pointer",
            Self::OddVersion => "odd-version",
            Self::LeadsOutside => "leads-outside",
            Self::OpenUmask => "open-umask",
            Self::UnmadeEnvFile => "unmade-env-file",
        }
    }

    /// Returns how bad its findings are.
    pub fn severity(self) -> Severity {
        match self {
            // It leads nowhere in the package, and may lead somewhere once a service has run.
            // A default that leads outside works; only rehearsals need more.
            // The host may have the file.
            Self::DanglingSymlink | Self::OddVersion | Self::LeadsOutside | Self::UnmadeEnvFile => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
