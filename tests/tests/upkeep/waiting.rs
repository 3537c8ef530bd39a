//! What nobody refers to yet: files of proposals that wait are no garbage, and old ones that nothing names are brought again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use copkg_tests::publishing::{Place, Publisher, Reader, Source, send};
use tempfile::TempDir;

use crate::scene::url;
use crate::upstream::run;

/// A repository in a directory, with the group of `publisher`.
fn directory(publisher: &Publisher) -> (TempDir, Place) {
    let directory = tempfile::tempdir().unwrap();
    let store = url(&directory.path().join("store"));
    let place = Place { store, environment: Vec::new(), directory: directory.path().to_owned() };
    place.found(std::slice::from_ref(publisher), &[]).unwrap();
    (directory, place)
}

fn count(directory: &TempDir) -> usize {
    Reader::new(Source::Files(directory.path().join("store"))).unwrap().read_all().unwrap().len()
}

/// Where a file lies in the store.
fn blob(directory: &TempDir, path: &str, digest: &str) -> PathBuf {
    let (above, name) = path.rsplit_once('/').unwrap();
    directory.path().join("store/targets").join(above).join(format!("{digest}.{name}"))
}

/// Lets a file be a month old.
fn age(path: &Path) {
    let month_ago = SystemTime::now() - Duration::from_secs(30 * 24 * 60 * 60);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(month_ago).unwrap();
}

fn gc(place: &Place) {
    let output = run(&["gc", "--store", &place.store]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_file_of_a_proposal_that_waits_is_no_garbage_however_old_it_is() {
    let publisher = Publisher::with_keys("com.example.two", &[1, 2], 2).unwrap();
    let (directory, place) = directory(&publisher);
    let server = place.serve("server", None, &[]).unwrap();
    let prepared = publisher.prepare("web", "1.0", b"content").unwrap();
    let id = send(server.address, "POST", "/api/v1/proposals", &prepared.proposal).unwrap().json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/blobs/{}", prepared.digest);
    assert_eq!(send(server.address, "PUT", &path, &prepared.file).unwrap().status, 201);
    let file = blob(&directory, &publisher.path("web", "1.0").unwrap(), &prepared.digest.to_string());
    age(&file);
    gc(&place);
    assert!(file.exists());
    // It is older than any file that a new proposal may rely on.
    let second = publisher.co_signature(&prepared, 1).unwrap();
    let signatures = format!("/api/v1/proposals/{id}/signatures");
    let waits = send(server.address, "POST", &signatures, &second).unwrap();
    assert_eq!((waits.status, waits.json()["missing_blobs"].as_array().unwrap().len()), (202, 1));
    assert_eq!(send(server.address, "PUT", &path, &prepared.file).unwrap().status, 201);
    assert_eq!(send(server.address, "POST", &signatures, &second).unwrap().status, 201);
    gc(&place);
    assert_eq!(count(&directory), 1);
    assert!(!directory.path().join("store/private/proposals").join(id).exists());
}

#[test]
fn an_old_file_that_nothing_names_is_wanted_again() {
    let publisher = Publisher::new("com.example.g0", 1).unwrap();
    let (directory, place) = directory(&publisher);
    let server = place.serve("server", None, &[]).unwrap();
    let prepared = publisher.prepare("web", "1.0", b"content").unwrap();
    let file = blob(&directory, &publisher.path("web", "1.0").unwrap(), &prepared.digest.to_string());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, &prepared.file).unwrap();
    age(&file);
    // A collector may be about to remove it.
    let waits = send(server.address, "POST", "/api/v1/proposals", &prepared.proposal).unwrap();
    assert_eq!((waits.status, waits.json()["missing_blobs"].as_array().unwrap().len()), (202, 1));
    assert_eq!(Publisher::send(server.address, &prepared).unwrap().status, 201);
    gc(&place);
    assert_eq!(count(&directory), 1);
}
