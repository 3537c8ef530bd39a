//! nginx, of the system's own package: configured by typed values, reloaded while it serves, upgraded over changes by hand,
//! and looked after.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use copkg_skip::skip;
use copkg_tests::network::{connect, free_port, http};
use copkg_tests::scene::Scene;

use crate::Outcome;
use crate::world::{Asked, say};

const SERVICE: &str = "1.front.dev.local";

/// The size of the file that is on its way while nginx is reloaded, and how fast it is sent, in bytes a second.
const LARGE: usize = 6 << 20;

#[test]
fn a_reload_drops_no_connection() -> Outcome {
    let Some(front) = Front::start(&["1.0"])? else { return Ok(()) };
    let (port, first) = (front.port, front.master()?);
    let mut slow = connect(port)?;
    write!(slow, "GET /large HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut begun = [0; 1024];
    slow.read_exact(&mut begun)?;
    let asked =
        Asked::begin(move || http(port, "GET", "/", "").is_ok_and(|answer| answer.contains("200 OK")));
    let refused = front.pkginstall(&["config", "set", SERVICE, "workers=99"])?.expect_code(2)?;
    assert!(refused.err.contains("the most is 8"), "{refused}");
    front.pkginstall(&["config", "set", SERVICE, "motto=read again", "workers=2"])?.success()?;
    let applied = front.pkginstall(&["config", "apply", SERVICE])?.success()?;
    assert!(applied.out.contains("was reloaded"), "{applied}");
    assert!(http(port, "GET", "/", "")?.contains("read again"));
    let (answers, failures) = asked.end();
    assert_eq!(failures, 0, "of {answers} requests");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest)?;
    assert!(rest.len() + begun.len() > LARGE, "the file that was on its way came whole");
    assert_eq!(front.master()?, first, "nothing was restarted");
    let status = front.pkginstall(&["status", SERVICE])?.success()?;
    assert!(status.out.contains("generation 2 (good)"), "{status}");
    say(&format!("a reload of nginx: {answers} requests meanwhile, none failed, and one download went on"));
    Ok(())
}

#[test]
fn changes_by_hand_live_through_three_upgrades_and_a_contradiction_stops_before_anything_is_stopped()
-> Outcome {
    let Some(front) = Front::start(&["1.0", "1.1", "1.2", "1.3", "2.0"])? else { return Ok(()) };
    let file = front.scene.prefix().join("runtime").join(SERVICE).join("etc/nginx.conf");
    let edited = fs::read_to_string(&file)?.replace("client_max_body_size 1m;", "client_max_body_size 7m;");
    fs::write(&file, &edited)?;
    for (version, brings) in
        [("1.1", "server_tokens off;"), ("1.2", "keepalive_timeout 9s;"), ("1.3", "gzip on;")]
    {
        front.pkginstall(&["upgrade", SERVICE, "--to", version])?.success()?;
        let now = fs::read_to_string(&file)?;
        assert!(now.contains("client_max_body_size 7m;") && now.contains(brings), "{version}: {now}");
        assert!(http(front.port, "GET", "/", "")?.contains("200 OK"), "{version}");
    }
    let before = (front.master()?, fs::read_to_string(&file)?);
    let refused = front.pkginstall(&["upgrade", SERVICE, "--to", "2.0"])?.expect_code(7)?;
    assert!(
        refused.err.contains("configured by hand where its package changes too: etc/nginx.conf"),
        "{refused}"
    );
    assert_eq!((front.master()?, fs::read_to_string(&file)?), before, "nothing was stopped or written");
    front.pkginstall(&["config", "resolve", SERVICE, "--ours"])?.success()?;
    front.pkginstall(&["upgrade", SERVICE, "--to", "2.0"])?.success()?;
    let now = fs::read_to_string(&file)?;
    assert!(now.contains("client_max_body_size 7m;") && now.contains("sendfile on;"), "{now}");
    let diff = front.pkginstall(&["diff", SERVICE, "1", "5"])?.success()?;
    assert!(diff.out.contains("+    server_tokens off;"), "{diff}");
    Ok(())
}

#[test]
fn one_that_is_killed_is_started_again_by_who_looks_after_it() -> Outcome {
    let Some(front) = Front::start(&["1.0"])? else { return Ok(()) };
    let mut supervisor = Killed(
        front
            .scene
            .command("pkginstall", ["supervise"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let first = front.master()?;
    Command::new("kill").args(["-KILL", &first]).status()?;
    let began = Instant::now();
    while front.master().map_or(true, |now| now == first || now.is_empty())
        || !http(front.port, "GET", "/", "").is_ok_and(|answer| answer.contains("200 OK"))
    {
        assert!(began.elapsed() < Duration::from_secs(60), "it was not started again");
        std::thread::sleep(Duration::from_millis(20));
    }
    say(&format!("nginx was killed with -9: it served again after {:?}", began.elapsed()));
    // The settling time is part of the start.
    while !front.pkginstall(&["check", SERVICE])?.is_success() {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not well");
        std::thread::sleep(Duration::from_millis(50));
    }
    supervisor.0.kill()?;
    Ok(())
}

/// A program that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx as a service.
struct Front {
    scene: Scene,
    port: u16,
}

impl Front {
    /// Installs these versions and starts the first; none where nginx is not there.
    fn start(versions: &[&str]) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(program) =
            ["/usr/sbin/nginx", "/usr/bin/nginx"].iter().map(Path::new).find(|path| path.exists())
        else {
            skip("nginx as a service", "it is not installed");
            return Ok(None);
        };
        let scene = Scene::new()?;
        scene.trust()?;
        for version in versions {
            let file = scene.build(&tree(&scene, program, version)?)?;
            scene.pkginstall([Path::new("install"), &file])?.success()?;
        }
        let front = Self { scene, port: free_port()? };
        let package = format!("org.copkg.examples:front:{}", versions[0]);
        let port = format!("port={}", front.port);
        front.pkginstall(&["config", "set", SERVICE, &port, "--package", &package])?.success()?;
        front.pkginstall(&["start", &package, "--as", SERVICE])?.success()?;
        assert!(http(front.port, "GET", "/", "")?.contains("as packaged"));
        Ok(Some(front))
    }

    fn pkginstall(&self, arguments: &[&str]) -> Result<copkg_tests::execution::Execution, Box<dyn Error>> {
        Ok(self.scene.pkginstall(arguments)?)
    }

    fn master(&self) -> Result<String, Box<dyn Error>> {
        let path = self.scene.prefix().join("runtime").join(SERVICE).join("run/start.pid");
        Ok(fs::read_to_string(path)?.trim().to_owned())
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.pkginstall(&["stop", SERVICE]);
    }
}

const RECIPE: &str = r#"[package]
group = "org.copkg.examples"
id = "front"
version = "VERSION"

[[contents]]
src = "bin"

[[contents]]
src = "etc"

[[contents]]
src = "share"

[service]
exec = "bin/nginx -p $RUNTIME_DIR -e $RUNTIME_DIR/log/error.log -c $RUNTIME_DIR/etc/nginx.conf"
reload_signal = "HUP"
stop_signal = "QUIT"
settle = "100ms"

[service.health]
http = "http://127.0.0.1:{{ config.port }}/"
interval = "50ms"
healthy_for = "200ms"

[service.config.port]
type = "integer"
min = 1024
max = 65535

[service.config.workers]
type = "integer"
default = 1
min = 1
max = 8

[service.config.motto]
type = "string"
default = "as packaged"

[[service.templates]]
src = "etc/nginx.conf.j2"

[lint]
allow = [
    { rule = "missing-library", path = "bin/nginx", reason = "the libraries of this machine do for a test" },
    { rule = "native-code", path = "bin/nginx", reason = "the machine that builds it runs it" },
]
"#;

/// What each version adds stands in a place of its own, but for what 2.0 does.
const TEMPLATE: &str = r#"daemon off;
ROOT
worker_processes {{ config.workers }};
pid {{ runtime_dir }}/run/nginx.pid;

events {
    worker_connections 64;
}

http {
    access_log off;
    client_body_temp_path {{ runtime_dir }}/data/body;
    proxy_temp_path {{ runtime_dir }}/data/proxy;
    fastcgi_temp_path {{ runtime_dir }}/data/fastcgi;
    uwsgi_temp_path {{ runtime_dir }}/data/uwsgi;
    scgi_temp_path {{ runtime_dir }}/data/scgi;

    client_max_body_size BODY;

    # How long, how much
    KEEPALIVE

    server {
        listen 127.0.0.1:{{ config.port }};
        location / {
            return 200 "{{ config.motto }}\n";
        }
        location = /large {
            alias {{ software_dir }}/share/large;
            limit_rate 3m;
        }
    }

    # What others may see
    TOKENS

    # How it is sent
    GZIP
    SENDFILE
}
"#;

fn tree(scene: &Scene, program: &Path, version: &str) -> Result<PathBuf, Box<dyn Error>> {
    let tree = scene.path().join(format!("front-{version}"));
    let since = |first: &str, text: &str| if version >= first { text.to_owned() } else { "#".to_owned() };
    let template = TEMPLATE
        .replace("ROOT", if rustix::process::geteuid().is_root() { "user root root;" } else { "#" })
        .replace("BODY", if version == "2.0" { "3m" } else { "1m" })
        .replace("TOKENS", &since("1.1", "server_tokens off;"))
        .replace("KEEPALIVE", &since("1.2", "keepalive_timeout 9s;"))
        .replace("GZIP", &since("1.3", "gzip on;"))
        .replace("SENDFILE", &since("2.0", "sendfile on;"));
    scene.write(tree.join("package.toml"), 0o644, RECIPE.replace("VERSION", version))?;
    scene.write(tree.join("etc/nginx.conf.j2"), 0o644, template)?;
    scene.write(tree.join("share/large"), 0o644, vec![b'x'; LARGE])?;
    scene.write(tree.join("bin/nginx"), 0o755, fs::read(program)?)?;
    Ok(tree)
}
