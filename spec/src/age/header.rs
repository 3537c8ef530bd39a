//! The header: lines of text that hold the file's key, wrapped to each recipient, and what authenticates them.

use data_encoding::BASE64_NOPAD;

use super::AgeError;

const VERSION: &str = "age-encryption.org/v1";
/// How many characters a line of a body has, but the last one, which has fewer.
const COLUMNS: usize = 64;
/// The longest header that is read.
const LONGEST: usize = 1 << 20;

/// The file's key, wrapped to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stanza {
    pub(super) arguments: Vec<String>,
    pub(super) body: Vec<u8>,
}

/// A header that was read, and nobody vouched for.
pub(super) struct Header<'f> {
    pub(super) stanzas: Vec<Stanza>,
    /// What the code authenticates: from the first byte to `---`.
    pub(super) authenticated: &'f [u8],
    pub(super) code: Vec<u8>,
    /// What follows.
    pub(super) payload: &'f [u8],
}

/// Writes what the code authenticates.
pub(super) fn text_of(stanzas: &[Stanza]) -> String {
    let mut text = format!("{VERSION}\n");
    for stanza in stanzas {
        text.push_str("-> ");
        text.push_str(&stanza.arguments.join(" "));
        text.push('\n');
        let body = BASE64_NOPAD.encode(&stanza.body);
        let mut rest = body.as_str();
        while let Some((line, after)) = rest.split_at_checked(COLUMNS) {
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str(rest);
        text.push('\n');
    }
    text + "---"
}

/// Reads the header of a file.
pub(super) fn read(file: &[u8]) -> Result<Header<'_>, AgeError> {
    let malformed = AgeError::Malformed;
    let mut lines = Lines { file, at: 0 };
    if lines.next()? != VERSION {
        return Err(malformed("it does not begin with age-encryption.org/v1"));
    }
    let mut stanzas = Vec::new();
    loop {
        let begins = lines.at;
        let line = lines.next()?;
        if let Some(code) = line.strip_prefix("--- ") {
            let code = decoded(code)?;
            let authenticated = &file[..begins + "---".len()];
            return Ok(Header { stanzas, authenticated, code, payload: &file[lines.at..] });
        }
        let arguments = line.strip_prefix("-> ").ok_or(malformed("a stanza begins with ->"))?;
        let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        if arguments.iter().any(String::is_empty) {
            return Err(malformed("a stanza has an empty argument"));
        }
        stanzas.push(Stanza { arguments, body: body(&mut lines)? });
    }
}

fn body(lines: &mut Lines<'_>) -> Result<Vec<u8>, AgeError> {
    let mut text = String::new();
    loop {
        let line = lines.next()?;
        text.push_str(line);
        if line.len() < COLUMNS {
            return decoded(&text);
        }
        if line.len() > COLUMNS {
            return Err(AgeError::Malformed("a line of a stanza is too long"));
        }
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, AgeError> {
    BASE64_NOPAD.decode(text.as_bytes()).map_err(|_| AgeError::Malformed("a line is not in base64"))
}

struct Lines<'f> {
    file: &'f [u8],
    at: usize,
}

impl<'f> Lines<'f> {
    fn next(&mut self) -> Result<&'f str, AgeError> {
        let rest = &self.file[self.at..self.file.len().min(LONGEST).max(self.at)];
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(AgeError::Malformed("its header has no end"))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| AgeError::Malformed("its header is not text"))
    }
}
