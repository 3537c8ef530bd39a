//! Asks the person at the terminal for a passphrase, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};

use copkg_spec::keys::Passphrase;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The terminal that a person sits at.
#[derive(Debug)]
pub struct Terminal(File);

impl Terminal {
    /// Opens the terminal of this process; fails where there is none.
    ///
    /// # Errors
    /// When the process has no terminal.
    pub fn open() -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).open("/dev/tty").map(Self)
    }

    /// Asks for a passphrase; an empty line is `None`.
    ///
    /// # Errors
    /// When the terminal goes away.
    pub fn ask(&self, question: &str) -> io::Result<Option<Passphrase>> {
        let shown = tcgetattr(&self.0)?;
        let _restore = Restore { terminal: &self.0, modes: shown.clone() };
        let mut hidden = shown;
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&self.0, OptionalActions::Flush, &hidden)?;
        let mut terminal = &self.0;
        write!(terminal, "{question}: ")?;
        let mut line = Zeroizing::new(String::new());
        BufReader::new(terminal).read_line(&mut line)?;
        writeln!(terminal)?;
        let text = line.trim_end_matches(['\n', '\r']);
        Ok((!text.is_empty()).then(|| Zeroizing::new(text.to_owned())))
    }
}

/// Shows again what is typed, whatever happened.
struct Restore<'a> {
    terminal: &'a File,
    modes: Termios,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.modes);
    }
}
