//! The steps of the quickstart, in the order of the flow.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::playground::Playground;
use super::{Narrator, QuickstartError};
use crate::example::Example;
use crate::network::{free_port, http, redis};
use crate::programs::Programs;
use crate::repository::Repository;

/// The group of every example.
const GROUP: &str = "org.copkg.examples";

/// The date of every file in the package. A tree in git has that of its commit.
const SOURCE_DATE: &str = "1767225600";

/// What the reader asked for.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The package. Without one: Redis, or hello-service where Redis cannot be had.
    pub example: Option<Example>,
    /// What happens at the end.
    pub ending: Ending,
}

/// What happens to everything at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is stopped and removed, as the last steps of the tour.
    CleanUp,
    /// It keeps running, and the reader is told how to go on.
    Keep,
}

/// Takes the whole tour. Whatever goes wrong, nothing is left running, and nothing on the disk.
///
/// # Errors
/// When a step fails, or `interrupted` is set between two of them.
pub fn take<W: Write>(
    plan: Plan,
    narrator: Narrator<W>,
    programs: Programs,
    interrupted: Arc<AtomicBool>,
) -> Result<(), QuickstartError> {
    let place = Playground::open(narrator, programs, interrupted)?;
    let example = plan.example.unwrap_or(Example::Redis);
    let port = free_port().map_err(QuickstartError::Playground)?;
    let mut tour = Tour { place, example, coordinate: String::new(), port, service: Service::NotStarted };
    match tour.walk(plan) {
        Ok(Some(repository)) => tour.leave(repository),
        Ok(None) => {}
        Err(error) => {
            tour.abandon();
            return Err(error);
        }
    }
    Ok(())
}

struct Tour<W: Write> {
    place: Playground<W>,
    example: Example,
    coordinate: String,
    port: u16,
    service: Service,
}

/// Whether there may be something to stop.
#[derive(PartialEq, Eq)]
enum Service {
    NotStarted,
    Started,
}

impl<W: Write> Tour<W> {
    /// Walks through every step. Returns the repository when it is to run on.
    fn walk(&mut self, plan: Plan) -> Result<Option<Repository>, QuickstartError> {
        self.source(plan.example)?;
        self.key()?;
        let file = self.build()?;
        let fingerprint = self.found()?;
        let repository = self.serve()?;
        self.publish(&file, &repository, &fingerprint)?;
        self.host(&repository, &fingerprint)?;
        self.install()?;
        self.start()?;
        self.talk()?;
        self.status()?;
        if plan.ending == Ending::Keep {
            return Ok(Some(repository));
        }
        self.stop()?;
        self.remove()?;
        self.conclude();
        Ok(None)
    }
}

impl<W: Write> Tour<W> {
    /// Gets the source tree: of the example that was asked for, else of one that this machine can build.
    fn source(&mut self, asked: Option<Example>) -> Result<(), QuickstartError> {
        self.place.narrator.step("A source tree and its recipe");
        let directory = self.place.path().display().to_string();
        self.place.narrator.command(&format!("cd {directory}"));
        match self.fetch() {
            Err(QuickstartError::Example(why)) if asked.is_none() => {
                self.place.narrator.say(&format!("{why}; so this is about hello-service instead."));
                self.example = Example::HelloService;
                self.fetch()?;
            }
            Err(QuickstartError::Failed { .. }) if asked.is_none() => {
                self.place
                    .narrator
                    .say("The source code of Redis cannot be had; so this is about hello-service instead.");
                self.example = Example::HelloService;
                self.fetch()?;
            }
            result => result?,
        }
        self.coordinate = self.example.coordinate(&self.place.path().join(self.example.name()))?;
        let recipe = format!("{}/package.toml", self.example.name());
        self.place.run(&["cat", &recipe])
    }

    fn fetch(&mut self) -> Result<(), QuickstartError> {
        self.example.check_machine()?;
        let fetch = self.example.fetch(self.example.name().as_ref());
        let words: Vec<_> = std::iter::once(fetch.get_program()).chain(fetch.get_args()).collect();
        let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
        self.place.run(&words)
    }

    fn key(&mut self) -> Result<(), QuickstartError> {
        self.place.narrator.step("A key to sign with");
        self.place.run(&["pkgbuild", "keygen", "publisher"])
    }

    /// Builds and signs; returns the package file.
    fn build(&mut self) -> Result<String, QuickstartError> {
        self.place.narrator.step("Build and sign");
        if self.example == Example::Redis {
            self.place.narrator.say("This compiles Redis, which takes up to a minute.");
        }
        let tree = self.example.name();
        let date = ["--source-date", SOURCE_DATE];
        let build = ["pkgbuild", "build", tree, "--key", "publisher.key", "--out", "packages"];
        self.place.run(&[&build[..], &date].concat())?;
        let file = self.place.only_file("packages")?;
        self.place.run(&["pkgbuild", "inspect", &file])?;
        Ok(file)
    }

    /// Makes a repository in which the key speaks for the group; returns the fingerprint of its root.
    fn found(&mut self) -> Result<String, QuickstartError> {
        self.place.narrator.step("A repository, and who publishes in it");
        let store = self.store();
        let init = ["repo-server", "init", "--store", &store, "--group", GROUP, "--key", "publisher.pub"];
        let said = self.place.ask(&init)?;
        let fingerprint = said.split_whitespace().find(|word| is_fingerprint(word));
        fingerprint.map(str::to_owned).ok_or(QuickstartError::NoFingerprint)
    }

    fn store(&self) -> String {
        format!("file://{}", self.place.path().join("repository").display())
    }

    fn publish(
        &mut self,
        file: &str,
        repository: &Repository,
        fingerprint: &str,
    ) -> Result<(), QuickstartError> {
        self.place.narrator.step("Publish");
        let to = ["--repo", repository.url(), "--root", fingerprint];
        self.place.run(&[&["pkgbuild", "publish", file, "--key", "publisher.key"], &to[..]].concat())
    }

    fn serve(&mut self) -> Result<Repository, QuickstartError> {
        self.place.narrator.step("Serve the repository");
        let (store, log) = (self.place.path().join("repository"), self.place.path().join("repo-server.log"));
        let repository = Repository::serve(&self.place.program("repo-server"), &store, &log)?;
        self.place.narrator.command(&format!("{} &", repository.line()));
        self.place.narrator.say(&format!("listening on {}", repository.url()));
        Ok(repository)
    }

    fn host(&mut self, repository: &Repository, fingerprint: &str) -> Result<(), QuickstartError> {
        self.place.narrator.step("A host: its prefix, and the repository that it trusts");
        let prefix = self.place.prefix();
        self.place.narrator.command(&format!("export COPKG_PREFIX={}", prefix.display()));
        self.place.run(&["pkginstall", "repo", "add", "main", repository.url(), "--root", fingerprint])
    }

    /// Installs by name: the repository says which version is the newest.
    fn install(&mut self) -> Result<(), QuickstartError> {
        self.place.narrator.step("Install");
        let name = self.coordinate.rsplit_once(':').map_or("", |(name, _)| name).to_owned();
        self.place.run(&["pkginstall", "install", &name])
    }

    fn start(&mut self) -> Result<(), QuickstartError> {
        self.place.narrator.step("Start");
        self.service = Service::Started;
        let port = format!("--port={}", self.port);
        let coordinate = self.coordinate.clone();
        self.place.run(&["pkginstall", "start", &coordinate, "--as", self.example.service(), "--", &port])
    }

    /// Asks the service something, and checks what it says.
    fn talk(&mut self) -> Result<(), QuickstartError> {
        self.place.narrator.step("Talk to it");
        let answer = match self.example {
            Example::Redis => self.talk_to_redis()?,
            _ => self.talk_over_http()?,
        };
        let expected = match self.example {
            Example::Redis => "hello, copkg",
            Example::HelloService => "Hello from 1.hello.dev.local",
            Example::PythonWeb => "entries",
            Example::MultiPlatform => "hello from",
        };
        if answer.contains(expected) {
            return Ok(());
        }
        Err(QuickstartError::Answer { service: self.example.service(), answer })
    }

    fn talk_to_redis(&mut self) -> Result<String, QuickstartError> {
        let (id, version) = self
            .coordinate
            .trim_start_matches(GROUP)
            .trim_start_matches(':')
            .split_once(':')
            .unwrap_or_default();
        let client = format!("host/software/{}/{id}/{version}/bin/redis-cli", GROUP.replace('.', "/"));
        let port = self.port.to_string();
        // The client gives up at once when the service does not listen yet.
        redis(self.port, &["PING"]).map_err(|source| QuickstartError::Run { line: "PING".into(), source })?;
        self.place.ask(&[&client, "-p", &port, "set", "greeting", "hello, copkg"])?;
        self.place.ask(&[&client, "-p", &port, "get", "greeting"])
    }

    fn talk_over_http(&mut self) -> Result<String, QuickstartError> {
        let line = format!("curl http://127.0.0.1:{}/", self.port);
        self.place.narrator.command(&line);
        let answer =
            http(self.port, "GET", "/", "").map_err(|source| QuickstartError::Run { line, source })?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        self.place.narrator.say(body.trim_end());
        Ok(body.to_owned())
    }

    fn status(&mut self) -> Result<(), QuickstartError> {
        self.place.narrator.step("Look at it");
        self.place.run(&["pkginstall", "status"])?;
        self.place.run(&["pkginstall", "logs", self.example.service()])
    }

    fn stop(&mut self) -> Result<(), QuickstartError> {
        self.place.narrator.step("Stop and remove");
        self.place.run(&["pkginstall", "stop", self.example.service()])?;
        self.service = Service::NotStarted;
        Ok(())
    }

    fn remove(&mut self) -> Result<(), QuickstartError> {
        let coordinate = self.coordinate.clone();
        self.place.run(&["pkginstall", "remove", &coordinate])?;
        self.place.run(&["pkginstall", "list"])
    }

    /// Says what was shown, and where to read on.
    fn conclude(&mut self) {
        self.place.narrator.step("Done");
        self.place.narrator.say(
            "A source tree became a signed package, a repository served it, and a host verified, installed and ran it. Nothing of it is left here.\n\n\
             `cargo quickstart --keep` leaves it running. To package a tree of your own, type `pkgbuild init` in it; README.md has a tour of five minutes, \
             docs/recipe.md every key, docs/upgrades.md what happens when a new version fails.",
        );
    }

    /// Leaves everything running, and says how to use and how to end it.
    fn leave(self, repository: Repository) {
        let Self { mut place, example, port, .. } = self;
        let service = example.service();
        let (directory, url) = (place.path().display().to_string(), repository.url().to_owned());
        let server = repository.leave_running();
        let programs = place.programs().display().to_string();
        place.narrator.step("It keeps running");
        place.narrator.say(&format!(
            "{service} answers on port {port}, the repository on {url}, everything lies in {directory}.\n\n\
             To use the same prefix in this shell:\n\n    export PATH={programs}:$PATH COPKG_PREFIX={directory}/host\n\n\
             Then for example:\n\n    pkginstall status\n    pkginstall restart {service}\n    pkginstall verify --all\n\n\
             To end it:\n\n    pkginstall stop {service} && kill {server} && rm -r {directory}"
        ));
        place.keep();
    }

    /// Ends what may be running after a failure.
    fn abandon(&mut self) {
        if self.service == Service::Started {
            self.place.quietly(&["pkginstall", "stop", self.example.service()]);
        }
    }
}

fn is_fingerprint(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
