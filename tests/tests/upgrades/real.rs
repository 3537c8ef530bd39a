//! Real software: Redis between two versions, and a web application whose migration fails half-way.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use copkg_skip::skip;
use copkg_tests::network::{free_port, http, redis};
use copkg_tests::programs::project;
use copkg_tests::python::environment;
use copkg_tests::scene::Scene;

use crate::Outcome;
use crate::world::say;

const REDIS: &str = "1.redis.dev.local";
const BOOK: &str = "1.book.dev.local";

/// How many keys Redis holds.
const KEYS: usize = 500;

#[test]
fn redis_keeps_its_data_from_one_version_to_the_next() -> Outcome {
    let scene = Scene::new()?;
    let (Some(old), Some(new)) = (redis_package(&scene, "6.2.14")?, redis_package(&scene, "7.0.15")?) else {
        return Ok(());
    };
    scene.trust()?;
    scene.pkginstall([Path::new("install"), &old])?.success()?;
    let port = free_port()?;
    let option = format!("--port={port}");
    scene
        .pkginstall(["start", "org.copkg.examples:redis:6.2.14", "--as", REDIS, "--", &option])?
        .success()?;
    for number in 0..KEYS {
        redis(port, &["SET", &format!("key:{number}"), &format!("value {number}")])?;
    }
    let new = new.to_string_lossy().into_owned();
    scene.pkginstall(["rehearse", REDIS, "--to", &new])?.success()?;
    let watch = Watch::begin(move || redis(port, &["PING"]).is_ok_and(|answer| answer == "PONG"));
    let done = scene.pkginstall(["upgrade", REDIS, "--to", &new, "--rehearsed", "--json"])?.success()?;
    let down = watch.end();
    say(&format!(
        "Redis 6.2.14 → 7.0.15 with {KEYS} keys: no answer for {down:?}; the command says at most {} ms",
        done.json()?["downtime_milliseconds"]
    ));
    assert!(redis(port, &["INFO", "server"])?.contains("redis_version:7.0.15"));
    for number in 0..KEYS {
        assert_eq!(redis(port, &["GET", &format!("key:{number}")])?, format!("value {number}"));
    }
    redis(port, &["SET", "later", "than the upgrade"])?;

    // The old version cannot read what the new one wrote, and says so before anything is touched.
    scene.pkginstall(["rollback", REDIS])?.expect_code(7)?;
    scene.pkginstall(["rollback", REDIS, "--restore-data"])?.success()?;
    assert!(redis(port, &["INFO", "server"])?.contains("redis_version:6.2.14"));
    assert_eq!(redis(port, &["GET", "key:7"])?, "value 7");
    scene.pkginstall(["stop", REDIS])?.success()?;
    Ok(())
}

#[test]
fn a_web_application_whose_migration_fails_half_way_serves_on_with_its_old_data() -> Outcome {
    if let Err(why) = environment("waitress", &["waitress==3.0.2"]) {
        skip("a web application with its server from the package index", why);
        return Ok(());
    }
    let scene = Scene::new()?;
    scene.trust()?;
    for (version, fails) in [("1", "no"), ("2", "yes"), ("3", "no")] {
        let file = scene.build(&book(&scene, version, fails)?)?;
        scene.pkginstall([Path::new("install"), &file])?.success()?;
    }
    let port = free_port()?;
    let option = format!("--port={port}");
    scene.pkginstall(["start", "org.copkg.examples:book:1", "--as", BOOK, "--", &option])?.success()?;
    for name in ["Ada", "Grace"] {
        assert!(http(port, "POST", "/", name)?.contains("201"));
    }
    let page = move |name: &str| http(port, "GET", "/", "").is_ok_and(|answer| answer.contains(name));
    let before = http(port, "GET", "/", "")?;
    assert!(before.contains("version 1: Ada, Grace"), "{before}");

    let file = scene.prefix().join("runtime").join(BOOK).join("etc/book.ini");
    let edited = std::fs::read_to_string(&file)?.replace("by hand:", "by hand: yes");
    std::fs::write(&file, &edited)?;

    let watch = Watch::begin(move || page("Ada"));
    let failed = scene.pkginstall(["upgrade", BOOK, "--to", "2"])?.expect_code(1)?;
    let down = watch.end();
    say(&format!("a migration that fails half-way: no answer for {down:?}, then the old version again"));
    assert!(failed.err.contains("no such column: nowhere"), "{failed}");
    assert!(failed.err.contains("it runs org.copkg.examples:book:1 as before"), "{failed}");
    assert!(http(port, "GET", "/", "")?.ends_with("version 1: Ada, Grace\n"));
    assert_eq!(std::fs::read_to_string(&file)?, edited, "the old configuration, as it was edited");
    assert!(http(port, "POST", "/", "Edsger")?.contains("201"), "the old version writes as before");

    let watch = Watch::begin(move || http(port, "GET", "/", "").is_ok_and(|page| page.contains("200 OK")));
    scene.pkginstall(["upgrade", BOOK, "--to", "3"])?.success()?;
    say(&format!("a migration that works: no answer for {:?}", watch.end()));
    let after = http(port, "GET", "/", "")?;
    assert!(after.contains("version 3: ADA, GRACE, EDSGER"), "{after}");
    let merged = std::fs::read_to_string(&file)?;
    assert!(merged.contains("by hand: yes") && merged.contains("title = version 3"), "{merged}");
    scene.pkginstall(["stop", BOOK])?.success()?;
    Ok(())
}

/// Builds a version of Redis from its source; none where that cannot be had.
fn redis_package(scene: &Scene, version: &str) -> Result<Option<PathBuf>, Box<dyn Error>> {
    let tree = scene.path().join(format!("redis-{version}"));
    let fetch = project().join("examples/redis/fetch.py");
    let done = scene.run(Command::new(fetch).arg(&tree).args(["--version", version]))?;
    if !done.is_success() {
        skip(&format!("Redis {version}"), done.err.trim());
        return Ok(None);
    }
    Ok(Some(scene.build(&tree)?))
}

const RECIPE: &str = r#"[package]
group = "org.copkg.examples"
id = "book"
version = "VERSION"

[[contents]]
src = "app"

[[contents]]
src = "vendor"

[[contents]]
src = "etc"

[[contents]]
src = "script.d"

[service]
exec = "PYTHONPATH=$SOFTWARE_DIR/vendor python3 $SOFTWARE_DIR/app/book.py $PARAM_PORT $RUNTIME_DIR"
parameters = [{ name = "port" }]
settle = "200ms"

[service.health]
http = "http://127.0.0.1:{{ parameter.port }}/"
interval = "50ms"
healthy_for = "200ms"

[service.config.title]
type = "string"
default = "version VERSION"
max = 40

[[service.templates]]
src = "etc/book.ini.j2"
"#;

const APPLICATION: &str = r#"import configparser, sqlite3, sys, waitress
port, here = sys.argv[1:]
settings = configparser.ConfigParser()
settings.read(here + "/etc/book.ini")
COLUMN = "shown" if "VERSION" == "3" else "name"

def open_database():
    return sqlite3.connect(here + "/data/book.sqlite")

def book(environment, respond):
    with open_database() as database:
        if environment["REQUEST_METHOD"] == "POST":
            name = environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"])).decode()
            database.execute(f"INSERT INTO entries ({COLUMN}) VALUES (?)", (name,))
            status, text = "201 Created", "written\n"
        else:
            names = ", ".join(row[0] for row in database.execute(f"SELECT {COLUMN} FROM entries ORDER BY rowid"))
            status, text = "200 OK", f"{settings['book']['title']}: {names}\n"
    respond(status, [("Content-Length", str(len(text)))])
    return [text.encode()]

with open_database() as database:
    database.execute("CREATE TABLE IF NOT EXISTS entries (name TEXT)")
waitress.serve(book, listen="127.0.0.1:" + port)
"#;

const MIGRATE: &str = r#"#!/usr/bin/env python3
import os, sqlite3
database = sqlite3.connect(os.environ["COPKG_RUNTIME_DIR"] + "/data/book.sqlite", isolation_level=None)
database.execute("ALTER TABLE entries RENAME COLUMN name TO old")
database.execute("ALTER TABLE entries ADD COLUMN shown TEXT")
if "FAILS" == "yes":
    database.execute("UPDATE entries SET shown = upper(nowhere)")
database.execute("UPDATE entries SET shown = upper(old)")
"#;

fn book(scene: &Scene, version: &str, fails: &str) -> Result<PathBuf, Box<dyn Error>> {
    let tree = scene.path().join(format!("book-{version}"));
    let text = |text: &str| text.replace("VERSION", version).replace("FAILS", fails);
    scene.write(tree.join("package.toml"), 0o644, text(RECIPE))?;
    scene.write(tree.join("app/book.py"), 0o644, text(APPLICATION))?;
    scene.write(
        tree.join("etc/book.ini.j2"),
        0o644,
        "[book]\n# kept by hand:\n\ntitle = {{ config.title }}\n",
    )?;
    vendor(scene, &tree)?;
    scene.write(tree.join("script.d/migrate"), 0o755, text(MIGRATE))?;
    Ok(tree)
}

/// Puts the server, which comes from the Python package index, beside the application.
fn vendor(scene: &Scene, tree: &Path) -> Outcome {
    let programs = environment("waitress", &["waitress==3.0.2"])?;
    let find = "import os, waitress; print(os.path.dirname(waitress.__file__))";
    let found = scene.run(Command::new(programs.join("python")).args(["-B", "-c", find]))?.success()?;
    std::fs::create_dir_all(tree.join("vendor"))?;
    let copied = tree.join("vendor/waitress");
    scene.run(Command::new("cp").args(["-r", found.out.trim()]).arg(&copied))?.success()?;
    let _ = std::fs::remove_dir_all(copied.join("__pycache__"));
    Ok(())
}

/// Asks a service again and again, as its clients do, and measures the longest time without an answer.
struct Watch {
    stop: std::sync::Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Duration>,
}

impl Watch {
    fn begin(answers: impl Fn() -> bool + Send + 'static) -> Self {
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            while !stopped.load(Ordering::SeqCst) {
                if answers() {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            longest.max(last.elapsed())
        });
        Self { stop, thread }
    }

    fn end(self) -> Duration {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_default()
    }
}
