//! Credentials of a service's own unit, fetched for its configuration, which is rendered before the unit is started.
//!
//! What `LoadCredential=` and its kin say in the drop-ins of the unit is handed to a unit of a moment: systemd fetches the credential as
//! it would for the service (files, encrypted ones, sockets), keeps it in its own memory, and lets it go again. So a drop-in
//! counts before the first start, when there is no unit yet.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable::{self, Existing};
use rustix::process::geteuid;

use super::managed::{systemctl, written_for};
use super::write::put_one;
use super::{Manager, UnitError, unit_name};
use crate::host::Prefix;

/// What says where a credential comes from.
const KEYS: [&str; 4] =
    ["LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted"];

/// Where the systemd of the host looks for drop-ins, what counts most first.
const SYSTEM: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// One byte more than the largest secret: whoever reads it sees that it is too large.
const LIMIT: u64 = (64 << 10) + 1;

/// Fetches the credential `name` of the unit of `service`; `None` where no drop-in of that loads one.
///
/// # Errors
/// When systemd cannot fetch it.
pub(crate) fn credential(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    environment: &BTreeMap<String, String>,
    name: &str,
) -> Result<Option<Vec<u8>>, UnitError> {
    // A rehearsal has no unit of its own.
    let prefix = prefix.owner();
    let manager = written_for(prefix, service)?.unwrap_or(match geteuid().as_raw() {
        0 => Manager::System,
        _ => Manager::User,
    });
    if !manager.is_here() {
        return Ok(None);
    }
    let lines = lines(&directories(manager, environment), &unit_name(prefix, service), name);
    if lines.is_empty() { Ok(None) } else { fetch(manager, name, &lines).map(Some) }
}

fn directories(manager: Manager, environment: &BTreeMap<String, String>) -> Vec<Utf8PathBuf> {
    if manager == Manager::System {
        return SYSTEM.iter().map(Utf8PathBuf::from).collect();
    }
    let configured = environment.get("XDG_CONFIG_HOME").map(Utf8PathBuf::from);
    let at_home = || environment.get("HOME").map(|home| Utf8Path::new(home).join(".config"));
    let ours = configured.or_else(at_home).map(|directory| directory.join("systemd/user"));
    ours.into_iter().chain(["/etc/systemd/user".into(), "/usr/lib/systemd/user".into()]).collect()
}

/// Reads the lines of the drop-ins of `unit` that say where the credential `name` comes from.
fn lines(directories: &[Utf8PathBuf], unit: &str, name: &str) -> Vec<String> {
    // By name; of two with one name the first directory's counts.
    let mut files: BTreeMap<String, Utf8PathBuf> = BTreeMap::new();
    for directory in directories {
        let Ok(entries) = directory.join(format!("{unit}.d")).read_dir_utf8() else { continue };
        for entry in entries.filter_map(Result::ok).filter(|entry| entry.path().extension() == Some("conf")) {
            files.entry(entry.file_name().to_owned()).or_insert_with(|| entry.path().to_owned());
        }
    }
    let texts = files.values().filter_map(|path| fs::read_to_string(path).ok());
    texts.flat_map(|text| of_text(&text, name)).collect()
}

fn of_text(text: &str, name: &str) -> Vec<String> {
    // A backslash at the end of a line joins it with the next.
    let text = text.replace("\\\n", " ");
    let mut lines = Vec::new();
    let mut in_service = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_service = line == "[Service]";
        }
        let Some((key, value)) = line.split_once('=').filter(|_| in_service) else { continue };
        let is_this = value.trim().split(':').next() == Some(name);
        if KEYS.contains(&key.trim()) && is_this {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Has systemd fetch the credential for a unit that writes it to a file of ours, in memory and for us alone.
fn fetch(manager: Manager, name: &str, lines: &[String]) -> Result<Vec<u8>, UnitError> {
    let runtime = match manager {
        Manager::System => Utf8PathBuf::from("/run"),
        Manager::User => format!("/run/user/{}", geteuid().as_raw()).into(),
    };
    let place = tempfile::Builder::new().prefix("copkg-credential-").tempdir_in(&runtime);
    let place = place.map_err(UnitError::file("create a directory in", &runtime))?;
    let file =
        runtime.join(place.path().file_name().unwrap_or_default().to_string_lossy().as_ref()).join("value");
    durable::write(file.as_std_path(), 0o600, Existing::Keep, b"")
        .map_err(UnitError::file("create", &file))?;
    let directory = runtime.join(match manager {
        Manager::System => "systemd/system",
        Manager::User => "systemd/user",
    });
    let unit = format!("copkg-credential-{}.service", std::process::id());
    let text = format!(
        "# Made by pkginstall for a moment.\n[Unit]\nDescription=A credential for a configuration\nDefaultDependencies=no\n\n\
         [Service]\nType=oneshot\nExecStart=/bin/sh -c 'exec cat \"$$CREDENTIALS_DIRECTORY/{name}\"'\n\
         StandardOutput=file:{file}\n{}\n",
        lines.join("\n")
    );
    let path = put_one(&directory, &unit, &text)?;
    let fetched = systemctl(manager, &["start", &unit])
        .and_then(|_| read(&file).map_err(UnitError::file("read", &file)));
    let _ = systemctl(manager, &["reset-failed", &unit]);
    fs::remove_file(&path).map_err(UnitError::file("remove", &path))?;
    let _ = systemctl(manager, &["daemon-reload"]);
    fetched
}

fn read(path: &Utf8Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_ins_say_where_a_credential_comes_from() {
        let text = "[Unit]\nLoadCredential=db:/wrong\n[Service]\n# LoadCredential=db:/comment\nUser=x\n\
                    LoadCredential=db:/etc/db\nLoadCredential = other:/etc/other\nSetCredential=db:a\\\nb\n";
        assert_eq!(of_text(text, "db"), ["LoadCredential=db:/etc/db", "SetCredential=db:a b"]);
        assert!(of_text(text, "d").is_empty());
    }

    #[test]
    fn the_drop_in_of_the_first_directory_counts() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        for (place, name, value) in
            [("a", "10.conf", "db:/a"), ("b", "10.conf", "db:/b"), ("b", "20.conf", "db:/c")]
        {
            let drop_ins = root.join(place).join("web.service.d");
            fs::create_dir_all(&drop_ins).unwrap();
            fs::write(drop_ins.join(name), format!("[Service]\nLoadCredential={value}\n")).unwrap();
        }
        let found = lines(&[root.join("a"), root.join("b"), root.join("none")], "web.service", "db");
        assert_eq!(found, ["LoadCredential=db:/a", "LoadCredential=db:/c"]);
    }
}
