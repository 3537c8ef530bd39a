//! The files of the package that a command line names: its program, and what comes in its arguments.

use super::exec::Exec;
use super::variable::Variables;
use super::{ScriptError, ServiceCommand};

/// The paths in the package that a command line names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedFiles {
    /// The program, where it is one of the package.
    pub program: Option<String>,
    /// What its arguments name by the whole path.
    pub others: Vec<String>,
    /// The directories in which it has the loader look for libraries.
    pub library_path: Vec<String>,
}

/// Returns the paths in the package that the command line of a service names.
///
/// # Errors
/// Those of [`generate`](super::generate).
pub fn named_files(command: &ServiceCommand) -> Result<NamedFiles, ScriptError> {
    let variables = Variables::with(&command.parameters)?;
    let Exec { environment, words } = Exec::parse(&command.exec, &variables)?;
    let program = words.first().map(|word| word.paths_below("SOFTWARE_DIR")).unwrap_or_default();
    let mut named = NamedFiles { program: program.into_iter().next(), ..NamedFiles::default() };
    // A list of directories in a variable may name some that are not there.
    for (_, value) in environment.iter().filter(|(name, _)| name == "LD_LIBRARY_PATH") {
        named.library_path.extend(value.paths_below("SOFTWARE_DIR"));
    }
    named.others.extend(words.iter().skip(1).flat_map(|word| word.paths_below("SOFTWARE_DIR")));
    Ok(named)
}
