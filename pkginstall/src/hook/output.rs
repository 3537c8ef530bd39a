//! What a script printed: a file that a spamming one cannot fill the disk with.

use std::io;

use crate::runtime::Output;

/// How large the output of one script may become before its beginning is dropped.
const LIMIT: u64 = 8 << 20;

/// Drops what was printed when it is too much. What comes afterwards is kept, until that is too much in turn.
pub(super) fn bound(output: &mut Output) -> io::Result<()> {
    if output.length()? > LIMIT {
        output.cut("… what was printed before is dropped: it was too much\n")
    } else {
        Ok(())
    }
}
