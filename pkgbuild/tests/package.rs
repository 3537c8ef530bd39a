//! Packages that are there: inspected, verified, compared, signed, built again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;

use workshop::{CONTENT, Workshop};

const FILE: &str = "notes-1.0.0-any.copkg";

fn built() -> Workshop {
    let workshop = Workshop::with_notes();
    workshop.works(&["keygen", "team"]);
    workshop.works(&["keygen", "other"]);
    workshop.works(&["build", "--key", "team.key", "--out", "."]);
    workshop
}

#[test]
fn inspect_shows_identity_sizes_and_signers() {
    insta::assert_snapshot!(built().works(&["inspect", FILE, "--files"]).out);
}

#[test]
fn inspect_shows_how_a_service_runs() {
    let workshop = Workshop::new();
    workshop.program("bin/web", "#!/bin/sh\nexec sleep 1000\n");
    let recipe = CONTENT.replace("kind = \"content\"\n", "").replace("notes.txt", "bin");
    let service = r#"
[service]
exec = "bin/web --port $PARAM_PORT"
user = "web"
stop_signal = "INT"
directories = ["data/cache"]
parameters = [{ name = "port", description = "where it listens" }]
umask = "0027"
env_file = ["-etc/web.env"]
limits = { memory = "512 MiB", cpu = 1.5, core = "0" }
env = { LANG = "C.UTF-8" }
"#;
    workshop.write("package.toml", recipe + service);
    workshop.works(&["build"]);
    let said = workshop.works(&["inspect", FILE]).out;
    // The sizes are those of the generated scripts, which are not the matter here.
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains("bytes")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn verify_says_who_signed_and_refuses_strangers() {
    let workshop = built();
    insta::assert_snapshot!("verified", workshop.works(&["verify", FILE, "--key", "team.pub"]).out);
    insta::assert_snapshot!("verify_stranger", workshop.fails(&["verify", FILE, "--key", "other.pub"]));
    let both = ["verify", FILE, "--key", "team.pub", "--key", "other.pub", "--threshold", "2"];
    insta::assert_snapshot!("verify_too_few", workshop.fails(&both));
    workshop.works(&["sign", FILE, "--key", "other.key"]);
    workshop.works(&both);
}

#[test]
fn verify_finds_a_flipped_byte_anywhere() {
    let workshop = built();
    let good = fs::read(workshop.path(FILE)).unwrap();
    for at in (0..good.len()).step_by(61) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        workshop.write("bad.copkg", &bad);
        let said = workshop.run(&["verify", "bad.copkg", "--key", "team.pub"]);
        assert_eq!(said.code, 6, "byte {at}: {said:?}");
    }
    workshop.write("short.copkg", &good[..good.len() - 700]);
    insta::assert_snapshot!(workshop.fails(&["verify", "short.copkg", "--key", "team.pub"]));
}

#[test]
fn diff_names_files_modes_and_fields() {
    let workshop = Workshop::new();
    workshop.write("package.toml", CONTENT.replace("src = \"notes.txt\"", "src = \"tree\"\ndst = \".\""));
    for (name, text) in [("same", "same"), ("gone", "gone"), ("changed", "old"), ("mode", "#!/bin/sh\n")] {
        workshop.write(&format!("tree/{name}"), text);
    }
    workshop.works(&["build", "--out", "old"]);
    fs::remove_file(workshop.path("tree/gone")).unwrap();
    workshop.write("tree/changed", "newer");
    workshop.write("tree/added", "added");
    workshop.mode("tree/mode", 0o755);
    workshop.works(&["build", "--out", "new"]);
    let (old, new) = (format!("old/{FILE}"), format!("new/{FILE}"));
    let said = workshop.works(&["diff", &old, &new]);
    let entries: Vec<&str> = said.out.lines().filter(|line| !line.starts_with("manifest members")).collect();
    insta::assert_snapshot!(entries.join("\n"));
    assert_eq!(workshop.works(&["diff", &old, &old]).out, "no difference\n");
}

#[test]
fn a_signature_is_added_and_the_digest_stays() {
    let workshop = built();
    let digest = |workshop: &Workshop| {
        let output = workshop.command(&["inspect", FILE, "--json"]).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["digest"].clone()
    };
    let before = digest(&workshop);
    insta::assert_snapshot!(workshop.works(&["sign", FILE, "--key", "other.key"]).out);
    assert_eq!(digest(&workshop), before);
    workshop.works(&["verify", FILE, "--key", "team.pub"]);
    workshop.works(&["verify", FILE, "--key", "other.pub"]);
    let again = workshop.works(&["sign", FILE, "--key", "other.key", "--json"]).out;
    assert!(again.contains("\"changed\": false"), "{again}");
    insta::assert_snapshot!("sign_without_a_key", workshop.fails(&["sign", FILE]));
    assert!(workshop.is_clean());
}

#[test]
fn a_rebuild_from_the_same_source_gives_the_same_bytes() {
    let workshop = built();
    insta::assert_snapshot!(workshop.works(&["rebuild", FILE]).out);
    assert!(workshop.is_clean());
}

#[test]
fn a_rebuild_from_another_source_says_so() {
    let workshop = built();
    workshop.write("notes.txt", "something else\n");
    insta::assert_snapshot!(workshop.fails(&["rebuild", FILE]));
}

#[test]
fn a_rebuild_that_differs_says_which_entries_do() {
    let workshop = Workshop::with_notes();
    let build = "[build]\nbuild = 'cat /proc/sys/kernel/random/uuid >notes.txt'\n";
    workshop.write("package.toml", CONTENT.to_owned() + build);
    workshop.works(&["build", "--out", "out"]);
    let said = workshop.run(&["rebuild", &format!("out/{FILE}")]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("~ notes.txt (37 → 37 bytes)"), "{said:?}");
    insta::assert_snapshot!(said.err);
}
