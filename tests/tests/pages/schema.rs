//! The API is what its description says: schemathesis sends what the description allows, and what it does not.

use std::process::Command;

use copkg_tests::python::environment;

use crate::site::Site;

/// What is proposed has to be signed by those who speak for a role, which no description can say: a proposal as the description has it
/// may be refused.
const CONFIGURATION: &str = r#"
[[operations]]
include-tag = "publishing"
checks.positive_data_acceptance.expected-statuses = ["2xx", "403", "404", "409", "422"]
"#;

#[test]
fn schemathesis_finds_nothing() {
    let programs = match environment("schemathesis", &["schemathesis>=4,<5"]) {
        Ok(programs) => programs,
        Err(why) => {
            return copkg_skip::skip("the API against its description (schemathesis)", why);
        }
    };
    let site = Site::start();
    let directory = site.log().parent().expect("a directory").to_owned();
    std::fs::write(directory.join("schemathesis.toml"), CONFIGURATION).expect("it is written");
    let output = Command::new(programs.join("schemathesis"))
        .args([
            "run",
            &site.url("/api/v1/openapi.json"),
            "--checks",
            "all",
            "--max-examples",
            "15",
            "--seed",
            "1",
            "--no-color",
        ])
        .args(["--suppress-health-check", "all", "--generation-database", "none"])
        .current_dir(directory)
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(site.log()).expect("the log can be read");
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}
