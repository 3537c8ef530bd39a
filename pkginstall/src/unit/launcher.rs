//! The command line that finds this program when a unit is started, which may be long after the unit was written.

use camino::Utf8Path;

use crate::host::Prefix;

/// Becomes the program, and says so where it is nowhere. Signals that people send to all processes of a unit are not for it.
const SCRIPT: &str = "trap '' HUP INT QUIT ALRM USR1 USR2; \
    COPKG_UNIT_UMASK=$(umask); export COPKG_UNIT_UMASK; \
    for program in \"$0\" /usr/local/sbin/pkginstall /usr/local/bin/pkginstall /usr/sbin/pkginstall /usr/bin/pkginstall; do \
    if [ -f \"$program\" ] && [ -x \"$program\" ]; then exec \"$program\" \"$@\"; fi; done; \
    echo \"pkginstall is not at $0 any more, nor in /usr/local/sbin, /usr/local/bin, /usr/sbin or /usr/bin, or this account may \
    not run it there: install it, or run 'pkginstall unit --apply' where it is now\" >&2; exit 127";

/// Returns the words that run `program` in `prefix`.
pub(super) fn words(prefix: &Prefix, program: &Utf8Path) -> Vec<String> {
    let launcher = ["/bin/sh", "-c", SCRIPT, program.as_str()].map(str::to_owned);
    launcher.into_iter().chain(prefix.options()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;
    use crate::service::UMASK;

    /// Where the program is looked for when it is not where it was: what root installs lies there.
    const ELSEWHERE: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

    fn run(program: &Utf8Path) -> std::process::Output {
        let words = words(&Prefix::at("/srv/it's".into()).unwrap(), program);
        Command::new(&words[0]).args(&words[1..]).arg("recover").output().unwrap()
    }

    #[test]
    fn the_program_is_run_where_it_was_and_its_absence_is_explained() {
        assert!(SCRIPT.contains(UMASK) && ELSEWHERE.iter().all(|place| SCRIPT.contains(place)));
        let directory = tempfile::tempdir().unwrap();
        let program = Utf8Path::from_path(directory.path()).unwrap().join("the program");
        std::fs::write(&program, "#!/bin/sh\necho \"$* $COPKG_UNIT_UMASK\"\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let ran = run(&program);
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(said.starts_with("--prefix /srv/it's recover 00"), "{said}");
        if ELSEWHERE.iter().any(|place| Utf8Path::new(place).join("pkginstall").exists()) {
            copkg_skip::skip("the unit of a program that is nowhere", "pkginstall is installed on this host");
            return;
        }
        std::fs::remove_file(&program).unwrap();
        let ran = run(&program);
        assert_eq!(ran.status.code(), Some(127));
        assert!(String::from_utf8(ran.stderr).unwrap().contains(program.as_str()));
    }
}
