//! What lies in a showcase: packages as teams have them, with all that a page can show.

use std::io::Cursor;
use std::num::NonZeroUsize;

use copkg_spec::archive::{Attachments, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::index::Mode;
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::{About, Draft, Kind, Parameter, Service};

use super::{Result, Showcase};

/// A package file to be made.
#[derive(Debug, Clone)]
pub struct Sample {
    name: String,
    pub(super) platform: String,
    pub(super) kind: Kind,
    /// What people want to know.
    pub about: About,
    service: Option<Service>,
    files: Vec<(String, String)>,
    pub(super) sbom: Option<String>,
    pub(super) provenance: Option<String>,
}

impl Sample {
    /// Begins a package; a service has two scripts and a parameter.
    pub fn new(group: &str, id: &str, version: &str, platform: &str, kind: Kind) -> Self {
        let sample = Self {
            name: format!("{group}:{id}:{version}"),
            platform: platform.to_owned(),
            kind,
            about: About::default(),
            service: None,
            files: Vec::new(),
            sbom: None,
            provenance: None,
        };
        if kind == Kind::Service { sample.make_service() } else { sample }
    }

    fn make_service(mut self) -> Self {
        let scripts = ["script.d/start", "script.d/stop"];
        let parsed: Vec<copkg_spec::index::EntryPath> =
            scripts.iter().filter_map(|script| script.parse().ok()).collect();
        if let [start, stop] = parsed.as_slice() {
            let mut service = Service::new(start.clone(), stop.clone());
            service.parameters = "port"
                .parse()
                .ok()
                .map(|name| Parameter {
                    name,
                    default: Some("8080".to_owned()),
                    description: Some("the port that it answers on".to_owned()),
                })
                .into_iter()
                .collect();
            self.service = Some(service);
        }
        scripts.iter().fold(self, |sample, script| sample.file(script, "#!/bin/sh\nexit 0\n"))
    }

    /// Adds a file; one below `bin` or `script.d` is a program.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Describes it in one line, and what is new.
    #[must_use]
    pub fn about(mut self, description: &str, release_note: &str) -> Self {
        self.about = About {
            description: Some(description.to_owned()),
            license: Some("Apache-2.0".to_owned()),
            homepage: Some("https://example.com/projects".to_owned()),
            maintainer: Some("Platform team <platform@example.com>".to_owned()),
            release_note: (!release_note.is_empty()).then(|| release_note.to_owned()),
        };
        self
    }

    /// Changes how the service is run.
    #[must_use]
    pub fn service(mut self, change: impl FnOnce(&mut Service)) -> Self {
        if let Some(service) = &mut self.service {
            change(service);
        }
        self
    }

    pub(super) fn coordinate(&self) -> Result<PackageCoordinate> {
        Ok(self.name.parse()?)
    }

    /// Packs it and returns the bytes with the package's digest.
    pub(super) fn pack(&self, key: &SecretKey) -> Result<(Vec<u8>, Digest)> {
        let draft = Draft {
            coordinate: self.coordinate()?,
            kind: self.kind,
            platform: self.platform.parse()?,
            source_date: 1_789_900_000,
            about: self.about.clone(),
            service: self.service.clone(),
        };
        let attachments = Attachments {
            sbom: self.sbom.as_deref().map(str::as_bytes),
            provenance: self.provenance.as_deref().map(str::as_bytes),
        };
        let options = PackOptions { level: 3, threads: NonZeroUsize::MIN };
        let keys = [SecretKey::from_seed(&[2; 32])];
        debug_assert_eq!(keys[0].public(), key.public());
        let plan = PackPlan { draft, attachments, keys: &keys, options };
        let mut bytes = Vec::new();
        let open = |path: &copkg_spec::index::EntryPath| {
            let found = self.files.iter().find(|(name, _)| name == path.as_str());
            found.map(|(_, text)| text.as_bytes()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
        };
        let packed = pack(plan, self.tree()?, open, Cursor::new(Vec::new()), &mut bytes)?;
        Ok((bytes, packed.digest))
    }

    fn tree(&self) -> Result<Vec<TreeEntry>> {
        let mut tree = Vec::new();
        let mut directories: Vec<&str> = Vec::new();
        for (path, text) in &self.files {
            directories.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
            let is_program = path.starts_with("bin/") || path.starts_with("script.d/");
            let mode = if is_program { Mode::Executable } else { Mode::Regular };
            let node = TreeNode::File { mode, size: text.len() as u64 };
            tree.push(TreeEntry { path: path.parse()?, node });
        }
        directories.sort_unstable();
        directories.dedup();
        for directory in directories {
            tree.push(TreeEntry { path: directory.parse()?, node: TreeNode::Directory });
        }
        tree.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }
}

const README: &str = "# Gateway\n\n\
    The front door of the platform: one process that terminates TLS, routes by host and path, and tells every backend who is \
    asking.\n\n\
    - **Fast**: no allocation for a request that is only passed on\n\
    - **Calm**: drains in order, and never drops a request that it has taken\n\
    - **Observable**: metrics at `/metrics`, one line of JSON for each request\n\n\
    ## Routes\n\n\
    Routes live in `etc/routes.toml`. A change is seen within a second, without a restart.\n\n\
    ```toml\n[[route]]\nhost = \"shop.example.com\"\nbackend = \"1.shop.prod.trd:8080\"\ntimeout = \"5s\"\n```\n\n\
    ## What it promises\n\n\
    | Situation | What happens |\n| --- | --- |\n| a backend is gone | `503`, and the next one is asked |\n\
    | a client is slow | it is cut after `30s` without a byte |\n| TERM | no new requests, running ones end |\n\n\
    > It keeps no state. Stop it, move it, start two of it.\n\n\
    See the [operator's handbook](https://example.com/gateway) for the rest.\n";

/// Fills a repository with what a small company has.
///
/// # Errors
/// When files cannot be written.
pub fn everyday(showcase: &mut Showcase) -> Result<()> {
    let platform = "com.acme.platform";
    for (version, note) in [
        ("1.0.0", "The first one."),
        ("1.1.0", "Routes by path, and not by host alone."),
        ("1.2.0", "HTTP/2 towards backends."),
        ("1.2.1", ""),
        ("1.3.0", "Retries are bounded by the time that the client still has."),
        ("2.0.0-rc.1", "The configuration is TOML now."),
    ] {
        showcase.publish(platform, &gateway(version, note))?;
    }
    let service = |group: &str, id: &str, version: &str, text: &str| {
        Sample::new(group, id, version, "x86_64-linux", Kind::Service)
            .about(text, "Smaller, and nothing is lost when it is stopped.")
            .file("README.md", &format!("# {id}\n\n{text}.\n"))
            .file(&format!("bin/{id}"), "\u{7f}ELF, if this were real\n")
    };
    showcase.publish(
        platform,
        &[service(platform, "scheduler", "0.9.4", "Runs what has to run, once, at its time")],
    )?;
    showcase.publish(
        platform,
        &[service(platform, "ledger", "3.1.0", "Double-entry bookkeeping as a service")],
    )?;
    showcase.publish(
        "com.acme.shop",
        &[service("com.acme.shop", "checkout", "12.4.2", "Takes orders and payments")],
    )?;
    showcase.publish(
        "com.acme.shop",
        &[service("com.acme.shop", "catalogue", "7.0.1", "Products, prices and what is in stock")],
    )?;
    let content = Sample::new("com.acme.data", "geo-names", "2026.9", "any", Kind::Content)
        .about("Places of the world with their names in many languages", "")
        .file("places.tsv", "59.91\t10.75\tOslo\n");
    showcase.publish("com.acme.data", &[content])?;
    let redis = service("org.copkg.examples", "redis", "7.0.15", "Redis, an in-memory data store");
    showcase.publish("org.copkg.examples", &[redis])?;
    showcase.promote("com.acme.platform:gateway:1.3.0", "stable")?;
    showcase.promote("com.acme.platform:gateway:2.0.0-rc.1", "beta")?;
    showcase.yank("com.acme.platform:gateway:1.2.1", "It drops requests while it drains; take 1.3.0")?;
    showcase.promote("com.acme.shop:checkout:12.4.2", "stable")
}

fn gateway(version: &str, note: &str) -> Vec<Sample> {
    let parts = ["hyper 1.12.0 MIT", "rustls 0.23.31 Apache-2.0", "tokio 1.54.0 MIT", "zstd 0.14.0 MIT"];
    let component = |part: &&str| {
        let mut words = part.split(' ');
        let mut word = || words.next().unwrap_or_default();
        serde_json::json!({ "type": "library", "name": word(), "version": word(), "licenses": [{ "license": { "id": word() } }] })
    };
    let components: Vec<_> = parts.iter().map(component).collect();
    let sbom =
        serde_json::json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": components });
    let statement = serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://copkg.dev/build/v1",
                "resolvedDependencies": [{ "uri": "git+https://example.com/acme/gateway", "digest": { "sha1": "8f0c1a37d1f24e4d9f8b5a0e6c2b7d3e4f5a6b7c" } }],
            },
            "runDetails": { "builder": { "id": "https://ci.example.com/runner/7" } },
        },
    });
    let make = |platform: &str| {
        let mut sample = Sample::new("com.acme.platform", "gateway", version, platform, Kind::Service)
            .about("The front door of the platform: TLS, routing, and who is asking", note)
            .file("README.md", README)
            .file(
                "bin/gateway",
                &format!("\u{7f}ELF of {version} for {platform}, if this were real\n").repeat(2000),
            )
            .file("etc/routes.toml", "[[route]]\nhost = \"shop.example.com\"\n")
            .file("share/licenses/NOTICE", "Notice\n");
        if version >= "1.2" {
            sample = sample.file("etc/backends.toml", "timeout = \"5s\"\n");
        } else {
            sample = sample.file("etc/backends.ini", "timeout=5\n");
        }
        sample.sbom = Some(sbom.to_string());
        sample.provenance = Some(format!("{statement}\n"));
        sample.service(|service| {
            service.user = Some("gateway".to_owned());
            service.config = settings();
        })
    };
    vec![make("x86_64-linux"), make("aarch64-linux")]
}

fn settings()
-> std::collections::BTreeMap<copkg_spec::configuration::SettingName, copkg_spec::configuration::Setting> {
    let settings = serde_json::json!({
        "listen": { "type": "string", "default": "0.0.0.0:443", "description": "the address that it answers on" },
        "certificate": { "type": "secret", "description": "the certificate with its key" },
        "drain": { "type": "duration", "default": "30s", "description": "how long running requests may take at the end" },
        "max_body": { "type": "size", "default": "64MiB", "description": "the largest body that is passed on" },
        "trace": { "type": "boolean", "default": false, "description": "whether each request is traced" },
    });
    serde_json::from_value(settings).unwrap_or_default()
}
