//! SHA-256 digests, and readers and writers that compute them on the way.

use std::fmt;
use std::io::{self, Read, Write};
use std::panic;
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::coordinate::{CoordinateError, serde_as_text};

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of everything that a reader has.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hashed = Hashed::new(io::sink());
        io::copy(&mut reader, &mut hashed)?;
        Ok(hashed.finish().2)
    }

    /// Computes the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes the 32 bytes of a digest that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first 12 hexadecimal digits, for messages to people.
    pub fn short(&self) -> String {
        HEXLOWER.encode(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let why = "it has 64 lower-case hexadecimal digits";
        let error = || CoordinateError::new("SHA-256 digest", text, why);
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| error())?;
        bytes.try_into().map(Self).map_err(|_| error())
    }
}

serde_as_text!(Digest);

/// Passes bytes on and computes their digest and number: wraps a reader or a writer.
#[derive(Debug)]
pub struct Hashed<T> {
    inner: T,
    hasher: Sha256,
    length: u64,
}

impl<T> Hashed<T> {
    /// Starts at the empty digest.
    pub fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), length: 0 }
    }

    /// Returns how many bytes passed so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the wrapped stream, how many bytes passed, and their digest.
    pub fn finish(self) -> (T, u64, Digest) {
        (self.inner, self.length, Digest(self.hasher.finalize().into()))
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl<W: Write + Send> Hashed<W> {
    /// Writes all that `reader` gives: this thread reads and hashes, another one writes. In memory are four parts of 256 KiB.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn write_all_of(&mut self, reader: &mut impl Read) -> io::Result<()> {
        const PARTS: usize = 4;
        const PART: usize = 256 << 10;
        let Self { inner, hasher, length } = self;
        let (full, to_write) = mpsc::sync_channel::<(Vec<u8>, usize)>(PARTS);
        let (empty, to_fill) = mpsc::channel();
        (0..PARTS).for_each(|_| drop(empty.send(vec![0; PART])));
        thread::scope(|scope| {
            let writing = scope.spawn(move || -> io::Result<()> {
                for (part, filled) in to_write {
                    inner.write_all(&part[..filled])?;
                    // After the last one nobody wants it.
                    let _ = empty.send(part);
                }
                Ok(())
            });
            let mut read_all = || -> io::Result<()> {
                // When writing has failed, no part comes back.
                while let Ok(mut part) = to_fill.recv() {
                    let filled = read(reader, &mut part)?;
                    if filled == 0 {
                        break;
                    }
                    hasher.update(&part[..filled]);
                    *length += filled as u64;
                    let _ = full.send((part, filled));
                }
                Ok(())
            };
            let all_read = read_all();
            drop(full);
            writing.join().unwrap_or_else(|bug| panic::resume_unwind(bug)).and(all_read)
        })
    }
}

fn read(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count(&buffer[..n]);
        Ok(n)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.count(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_thread_writes_is_what_was_read() {
        for length in [0, 1, 256 << 10, (256 << 10) + 1, 3_000_000] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
            let mut hashed = Hashed::new(Vec::new());
            hashed.write_all(b"head").unwrap();
            hashed.write_all_of(&mut bytes.as_slice()).unwrap();
            let (written, count, digest) = hashed.finish();
            let expected = [b"head".as_slice(), &bytes].concat();
            assert!(written == expected && count == expected.len() as u64, "{length}");
            assert_eq!(digest, Digest::of(&expected), "{length}");
        }
    }

    #[test]
    fn a_writer_and_a_reader_that_fail_say_why() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let endless = &mut io::repeat(7);
        let full = Hashed::new(Full).write_all_of(endless).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let broken = Hashed::new(Vec::new()).write_all_of(&mut Broken).unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::ConnectionReset);
    }
}
