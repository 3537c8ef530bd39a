//! Installs copkg packages and runs their services.
//!
//! The only file that looks at the process that it runs in: everything else is handed what it needs.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use camino::Utf8PathBuf;
use copkg_spec::command::Streams;
use pkginstall::cli::{self, Ambient, Surroundings};
use pkginstall::{inherited, interrupt};

fn main() -> ExitCode {
    // Should the kernel refuse, a service inherits more than it should, and nothing else is wrong.
    let _ = inherited::set_stated_values();
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let surroundings = Surroundings {
        arguments: env::args_os().collect(),
        streams: streams(),
        ambient: Ambient {
            environment: env::vars_os().filter_map(text).collect(),
            working_directory: env::current_dir().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok()),
            program: env::current_exe().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok()),
            user: rustix::process::geteuid().as_raw(),
            clock: jiff::Timestamp::now,
            streams,
            ask: has_terminal().then_some(ask as fn(&str) -> bool),
            wait_for_enter: has_terminal().then_some(wait_for_enter as fn(&str) -> bool),
        },
    };
    cli::run(surroundings).into()
}

fn streams() -> Streams {
    Streams {
        out: Box::new(io::stdout()),
        err: Box::new(io::stderr()),
        err_is_terminal: io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none(),
    }
}

fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Waits for Enter. A signal, the end of the input and everything else that is typed are no.
fn wait_for_enter(question: &str) -> bool {
    let mut answer = String::new();
    if writeln!(io::stderr(), "{question}").is_err() {
        return false;
    }
    let stdin = io::stdin();
    let limit = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    loop {
        let mut descriptors = [rustix::event::PollFd::new(&stdin, rustix::event::PollFlags::IN)];
        match rustix::event::poll(&mut descriptors, Some(&limit)) {
            _ if interrupt::is_interrupted() => return false,
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return stdin.read_line(&mut answer).is_ok() && answer == "\n",
            Err(_) => return false,
        }
    }
}

/// Asks on the terminal. Whatever is not yes is no.
fn ask(question: &str) -> bool {
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question}").and_then(|()| io::stdin().read_line(&mut answer));
    asked.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
