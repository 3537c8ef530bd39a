//! Files in the age format against the program `age`, in both directions.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use copkg_skip::skip;
use copkg_spec::age::{self, Identity};

/// Random numbers for a test are the same each time.
fn counting() -> impl FnMut(&mut [u8]) -> Result<(), std::convert::Infallible> {
    let mut next = 0_u8;
    move |bytes| {
        for byte in bytes {
            next = next.wrapping_mul(5).wrapping_add(17);
            *byte = next;
        }
        Ok(())
    }
}

fn run(arguments: &[&str], directory: &Path, input: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut command = Command::new("age");
    command.args(arguments).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    assert!(output.status.success(), "age {arguments:?}: {}", output.status);
    Ok(output.stdout)
}

#[test]
fn age_decrypts_what_we_encrypt_and_we_decrypt_what_age_encrypts() {
    if Command::new("age").arg("--version").output().is_err() {
        return skip("age", "the program age is not installed");
    }
    let directory = tempfile::tempdir().unwrap();
    let identity = Identity::from_bytes([9; 32]);
    std::fs::write(directory.path().join("identity"), identity.to_text().as_bytes()).unwrap();
    let recipient = identity.recipient().to_string();
    for length in [0, 33, 65_536, 150_000] {
        let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let ours = age::encrypt(&plain, &[identity.recipient()], &mut counting()).unwrap();
        assert_eq!(run(&["-d", "-i", "identity"], directory.path(), &ours).unwrap(), plain, "{length}");
        let theirs = run(&["-r", &recipient], directory.path(), &plain).unwrap();
        assert_eq!(*age::decrypt(&theirs, &[Identity::from_bytes([9; 32])]).unwrap(), plain, "{length}");
    }
}
