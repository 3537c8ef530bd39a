//! The last lines of a program's output, for the message about its failure.

use std::collections::VecDeque;

/// How many lines are kept.
const LINES: usize = 30;
/// How long a line may be, in bytes.
const LINE_BYTES: usize = 2000;

/// Keeps the last lines of an output that may be endless.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<Vec<u8>>,
    open: Vec<u8>,
}

impl Tail {
    /// Takes the next bytes of the output.
    pub fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.open.len());
            self.open.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        self.lines.push_back(std::mem::take(&mut self.open));
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// Returns the lines, safe to print.
    pub fn lines(mut self) -> Vec<String> {
        if !self.open.is_empty() {
            self.end_line();
        }
        self.lines.iter().map(|line| printable(&String::from_utf8_lossy(line))).collect()
    }
}

/// Drops what could paint the terminal.
fn printable(line: &str) -> String {
    line.trim_end().chars().filter(|&c| !c.is_control() || c == '\t').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut tail = Tail::default();
        for n in 0..100 {
            tail.push(format!("line {n}\n").as_bytes());
        }
        tail.push(b"and no end");
        let lines = tail.lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines.last().unwrap(), "and no end");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.push(&[b'x'; 1000]);
        }
        assert_eq!(tail.lines()[0].len(), LINE_BYTES);
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let mut tail = Tail::default();
        tail.push(b"\x1b[31mred\x1b[0m\r\n");
        assert_eq!(tail.lines(), ["[31mred[0m"]);
    }
}
