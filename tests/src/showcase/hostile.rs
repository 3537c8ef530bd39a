//! A package whose metadata tries everything that a manifest may say: HTML, marks that turn the direction of writing; control characters
//! where a manifest cannot have them.

use copkg_spec::manifest::{About, Kind};

use super::content::Sample;

/// What must never run.
pub const SCRIPT: &str = "<script>document.title='owned'</script>";

/// Makes the package `test.hostile:evil:1.0.0`.
pub fn hostile() -> Sample {
    let text = |what: &str| {
        format!(
            "{what}\"'><img src=x onerror=alert(1)>{SCRIPT}\u{202e}gpj.exe\u{2066}\u{1b}[31m\u{200b} שלום &amp; {{{{7*7}}}}"
        )
    };
    // No reader takes a manifest with control characters, and no user that is no account.
    let said = |what: &str| text(what).replace('\u{1b}', "");
    let readme = format!(
        "# {}\n\n[click](javascript:alert(1)) [ok](https://example.com/\"onmouseover=x) ![x](https://example.com/track.png)\n\n\
         {SCRIPT}\n\n<iframe src=//example.com></iframe>\n\n<style>*{{display:none}}</style>\n\n```html\n{SCRIPT}\n```\n",
        text("Title")
    );
    let sbom = serde_json::json!({
        "bomFormat": "CycloneDX", "specVersion": text("1.6"),
        "components": [{ "name": text("part"), "version": text("1"), "licenses": [{ "license": { "name": text("MIT") } }] }],
    });
    let statement = serde_json::json!({
        "predicateType": text("https://slsa.dev/provenance/v1"),
        "predicate": { "runDetails": { "builder": { "id": text("builder") } },
            "buildDefinition": { "buildType": text("type"), "resolvedDependencies": [{ "uri": text("git"), "digest": { "sha1": text("0") } }] } },
    });
    let mut sample = Sample::new("test.hostile", "evil", "1.0.0", "any", Kind::Service)
        .file("README.md", &readme)
        .file("bin/<b>bold<!--'\"&.sh", "#!/bin/sh\n")
        .service(|service| {
            service.user = Some("evil".to_owned());
            if let Some(parameter) = service.parameters.first_mut() {
                parameter.description = Some(said("parameter"));
                parameter.default = Some(said("default"));
            }
        });
    sample.about = About {
        description: Some(said("description")),
        license: Some(said("license")),
        homepage: Some("javascript:alert(document.domain)//\"><script>".to_owned()),
        maintainer: Some(said("maintainer")),
        release_note: Some(said("news")),
    };
    sample.sbom = Some(sbom.to_string());
    sample.provenance = Some(format!("{statement}\n"));
    sample
}
