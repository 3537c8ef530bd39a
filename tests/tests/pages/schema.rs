//! The API is what its description says: schemathesis sends what the description allows, and what it does not.

use std::process::Command;

use copkg_tests::python::environment;

use crate::site::Site;

#[test]
fn schemathesis_finds_nothing() {
    let programs = match environment("schemathesis", &["schemathesis>=4,<5"]) {
        Ok(programs) => programs,
        Err(why) => {
            println!("skipped: schemathesis cannot be had here: {why}");
            return;
        }
    };
    let site = Site::start();
    let output = Command::new(programs.join("schemathesis"))
        .args([
            "run",
            &site.url("/api/v1/openapi.json"),
            "--checks",
            "all",
            "--max-examples",
            "25",
            "--seed",
            "1",
            "--no-color",
        ])
        .args(["--suppress-health-check", "all", "--generation-database", "none"])
        .current_dir(site.log().parent().expect("a directory"))
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(site.log()).expect("the log can be read");
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}
