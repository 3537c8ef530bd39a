//! What every command of the three programs shares: options, exit codes, the shape of a failure, and the report.
//!
//! A user who learnt one program knows the others, and a script that parses one parses all. Nothing here reads
//! the environment or opens a stream: `main` hands the streams in.

mod closest;
mod error_codes;
mod exit;
mod failure;
mod options;
mod plain;
mod report;
mod usage;

pub use closest::closest;
pub use error_codes::{ExplainCode, Meaning, UnknownCode, explain_code, meanings};
pub use exit::Exit;
pub use failure::{Explain, Failure, said};
pub use options::{Color, Options};
pub use report::{Report, Streams};
pub use usage::unparsed;
