//! nginx serves a content: another revision is seen at once, and no request fails meanwhile.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use copkg_skip::skip;
use copkg_tests::network::{free_port, http};
use copkg_tests::scene::GROUP;

use crate::Outcome;
use crate::world::{Site, World};

const SERVICE: &str = "1.front.dev.local";

const RECIPE: &str = r#"[package]
group = "org.copkg.examples"
id = "front"
version = "1"

[[contents]]
src = "bin"

[[contents]]
src = "etc"

[service]
exec = "bin/nginx -p $RUNTIME_DIR -e $RUNTIME_DIR/log/error.log -c $RUNTIME_DIR/etc/nginx.conf"
reload_signal = "HUP"
stop_signal = "QUIT"
settle = "100ms"

[service.config.port]
type = "integer"

[service.config.root]
type = "string"

[[service.templates]]
src = "etc/nginx.conf.j2"

[lint]
allow = [
    { rule = "missing-library", path = "bin/nginx", reason = "the libraries of this machine do for a test" },
    { rule = "native-code", path = "bin/nginx", reason = "the machine that builds it runs it" },
]
"#;

/// It keeps open files for a minute: without a reload it would go on with those of the revision before.
const TEMPLATE: &str = r"daemon off;
ROOT
worker_processes 2;
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
    open_file_cache max=100;
    open_file_cache_valid 60s;
    server {
        listen 127.0.0.1:{{ config.port }};
        root {{ config.root }};
    }
}
";

#[test]
fn a_revision_is_activated_under_load_without_a_failed_request() -> Outcome {
    let Some(program) =
        ["/usr/sbin/nginx", "/usr/bin/nginx"].iter().map(Path::new).find(|path| path.exists())
    else {
        skip("nginx as a service", "it is not installed");
        return Ok(());
    };
    let world = World::new()?;
    let site = world.host("one")?;
    let front = Front::start(&world, &site, program)?;
    site.ok(&["content", "add", "site", &format!("{GROUP}:pages@prod"), "--reload", SERVICE])?;
    assert!(front.page()?.contains("one"));
    site.edit()?;
    site.write("index.html", "<h1>two</h1>\n")?;
    site.push(&[])?;
    assert!(front.page()?.contains("two"), "the edits are seen");
    let load = Load::begin(front.port);
    for _ in 0..5 {
        site.ok(&["content", "activate", "1", "site"])?;
        front.wait_for("one")?;
        site.ok(&["content", "activate", "2", "site"])?;
        front.wait_for("two")?;
    }
    let (answers, failed) = load.end();
    assert!(answers > 0 && failed == 0, "{failed} of {answers} requests failed");
    Ok(())
}

/// nginx, in front of the content.
struct Front<'w> {
    site: &'w Site<'w>,
    port: u16,
}

impl<'w> Front<'w> {
    fn start(world: &World, site: &'w Site<'w>, program: &Path) -> Result<Self, Box<dyn Error>> {
        let tree = world.scene.path().join("front");
        let user = if rustix::process::geteuid().is_root() { "user root root;" } else { "#" };
        world.scene.write(tree.join("package.toml"), 0o644, RECIPE)?;
        world.scene.write(tree.join("etc/nginx.conf.j2"), 0o644, TEMPLATE.replace("ROOT", user))?;
        world.scene.write(tree.join("bin/nginx"), 0o755, fs::read(program)?)?;
        let file = world.scene.build(&tree)?;
        site.ok(&["trust", "add", GROUP, "publisher.pub"])?;
        site.ok(&["install", &file.to_string_lossy()])?;
        let (port, package) = (free_port()?, format!("{GROUP}:front:1"));
        let values = [format!("port={port}"), format!("root={}", site.active().display())];
        site.ok(&["config", "set", SERVICE, &values[0], &values[1], "--package", &package])?;
        site.ok(&["start", &package, "--as", SERVICE])?;
        let front = Self { site, port };
        http(port, "GET", "/", "")?;
        Ok(front)
    }

    fn page(&self) -> Result<String, Box<dyn Error>> {
        let answer = http(self.port, "GET", "/index.html", "")?;
        assert!(answer.contains("200 OK"), "{answer}");
        Ok(answer)
    }

    /// Workers that end with the revision before may answer for a moment after the reload.
    fn wait_for(&self, text: &str) -> Outcome {
        let began = std::time::Instant::now();
        while !self.page()?.contains(text) {
            assert!(began.elapsed() < std::time::Duration::from_secs(30), "{text} is not served");
        }
        Ok(())
    }
}

impl Drop for Front<'_> {
    fn drop(&mut self) {
        let _ = self.site.run(&["stop", SERVICE]);
    }
}

/// Clients that ask again and again.
struct Load {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU32>,
    clients: Vec<thread::JoinHandle<u32>>,
}

impl Load {
    fn begin(port: u16) -> Self {
        let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let client = |_| {
            let (stop, failed) = (Arc::clone(&stop), Arc::clone(&failed));
            thread::spawn(move || {
                let mut answers = 0;
                while !stop.load(Ordering::SeqCst) {
                    let is_well = http(port, "GET", "/index.html", "")
                        .is_ok_and(|answer| answer.contains("200 OK") && answer.contains("<h1>"));
                    answers += 1;
                    failed.fetch_add(u32::from(!is_well), Ordering::SeqCst);
                }
                answers
            })
        };
        let clients = (0..2).map(client).collect();
        Self { stop, failed, clients }
    }

    /// Returns how many answers there were, and how many were no page.
    fn end(self) -> (u32, u32) {
        self.stop.store(true, Ordering::SeqCst);
        let answers = self.clients.into_iter().map(|client| client.join().unwrap_or_default()).sum();
        (answers, self.failed.load(Ordering::SeqCst))
    }
}
