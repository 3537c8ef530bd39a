//! What the reader sees: a heading for each step, the command, what it printed, the time it took.

use std::io::Write;
use std::time::Duration;

/// Whether the text has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For a terminal.
    Coloured,
    /// For a file or a pipe.
    Plain,
}

/// Writes the tutorial. A reader who went away is no reason to stop.
#[derive(Debug)]
pub struct Narrator<W> {
    out: W,
    style: Style,
    steps: usize,
}

impl<W: Write> Narrator<W> {
    /// Writes to `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self { out, style, steps: 0 }
    }

    /// Begins a step.
    pub fn step(&mut self, title: &str) {
        self.steps += 1;
        let heading = self.paint("1;36", &format!("{}. {title}", self.steps));
        self.write(&format!("\n{heading}\n"));
    }

    /// Shows a command before it runs.
    pub fn command(&mut self, line: &str) {
        let line = self.paint("1", &format!("$ {line}"));
        self.write(&format!("{line}\n"));
    }

    /// Says something between the commands.
    pub fn say(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Says how long a command took.
    pub fn time(&mut self, took: Duration) {
        let time = self.paint("2", &format!("  [{:.1} s]", took.as_secs_f64()));
        self.write(&format!("{time}\n"));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.style {
            Style::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            Style::Plain => text.to_owned(),
        }
    }

    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_colours() {
        let mut written = Vec::new();
        let mut narrator = Narrator::new(&mut written, Style::Plain);
        narrator.step("Build");
        narrator.command("pkgbuild build .");
        narrator.time(Duration::from_millis(1234));
        assert_eq!(String::from_utf8(written).unwrap(), "\n1. Build\n$ pkgbuild build .\n  [1.2 s]\n");
    }
}
