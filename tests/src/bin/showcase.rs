//! Makes a repository with a few packages to look at: `showcase DIRECTORY`, then `repo-server serve --store file://DIRECTORY`.

use std::path::Path;
use std::process::ExitCode;

use copkg_tests::showcase::{Showcase, everyday, hostile};

fn main() -> ExitCode {
    let Some(directory) = std::env::args().nth(1) else { return ExitCode::from(2) };
    match make(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(store: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let groups =
        ["com.acme.platform", "com.acme.shop", "com.acme.data", "org.copkg.examples", "test.hostile"];
    let mut showcase = Showcase::found(store, &groups)?;
    showcase.publish("test.hostile", &[hostile()])?;
    everyday(&mut showcase)
}
