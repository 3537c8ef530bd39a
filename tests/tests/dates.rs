//! The dates of files, as web servers show them: two mirrors agree, whatever version they came from, and a page that has not changed is
//! not sent again.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use copkg_skip::skip;
use copkg_tests::network::{free_port, http};
use copkg_tests::scene::{GROUP, Scene};

type Outcome = Result<(), Box<dyn Error>>;

const RECIPE: &str = "[package]\ngroup = \"GROUP\"\nid = \"pages\"\nversion = \"VERSION\"\nkind = \"content\"\n\n\
                      [[contents]]\nsrc = \"files\"\ndst = \".\"\ntype = \"tree\"\n";

#[test]
fn two_mirrors_serve_one_version_with_the_same_validators_and_only_changed_pages_get_others() -> Outcome {
    let scene = Scene::new()?;
    let first = build(&scene, "1.0", ("same", "as it was"), &["--source-date", "1000000000"])?;
    let against = ["--source-date", "1100000000", "--against", &first.to_string_lossy()];
    let second = build(&scene, "2.0", ("same", "as it is "), &against)?;
    scene.trust()?;
    let upgraded = scene.path().join("upgraded");
    let fresh = scene.path().join("fresh");
    for (mirror, packages) in [(&upgraded, &[&first, &second][..]), (&fresh, &[&second])] {
        fs::create_dir_all(mirror)?;
        scene.run(Command::new("cp").arg("-a").arg(scene.prefix()).arg(mirror.join("host")))?.success()?;
        for package in packages {
            let prefix = mirror.join("host").to_string_lossy().into_owned();
            scene.pkginstall(["--prefix", &prefix, "install", &package.to_string_lossy()])?.success()?;
        }
    }
    if !Path::new("/usr/sbin/nginx").exists() {
        skip("the validators of nginx", "nginx is not installed");
        return Ok(());
    }
    let server = Nginx::start(&scene, &upgraded, &fresh)?;
    let [old, new] = ["1.0", "2.0"]
        .map(|version| format!("upgraded/host/software/{}/pages/{version}", GROUP.replace('.', "/")));
    let other = new.replace("upgraded", "fresh");
    for page in ["unchanged", "changed"] {
        let [before, after, there] =
            [&old, &new, &other].map(|tree| server.validators(&format!("/{tree}/{page}")));
        let (before, after) = (before?, after?);
        assert_eq!(after, there?, "{page}: two mirrors");
        assert_eq!(before == after, page == "unchanged", "{page}: {before:?}, then {after:?}");
    }
    Ok(())
}

/// Builds a version with a page that never changes and one that holds `text`, of the same length in both versions.
fn build(
    scene: &Scene,
    version: &str,
    (same, text): (&str, &str),
    more: &[&str],
) -> Result<PathBuf, Box<dyn Error>> {
    let tree = scene.path().join(format!("pages-{version}"));
    let recipe = RECIPE.replace("GROUP", GROUP).replace("VERSION", version);
    scene.write(tree.join("package.toml"), 0o644, recipe)?;
    scene.write(tree.join("files/unchanged"), 0o644, same)?;
    scene.write(tree.join("files/changed"), 0o644, text)?;
    let out = scene.path().join(format!("out-{version}"));
    let (tree, out) = (tree.to_string_lossy().into_owned(), out.to_string_lossy().into_owned());
    let words = ["build", &tree, "--key", "publisher.key", "--out", &out];
    scene.pkgbuild(words.iter().chain(more))?.success()?;
    let file = fs::read_dir(&out)?.next().ok_or("nothing was built")??.path();
    let rebuilt = scene.pkgbuild(["rebuild", &file.to_string_lossy(), "--source", &tree])?.success()?;
    assert!(rebuilt.out.contains("reproduced"), "{rebuilt}");
    Ok(file)
}

struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    /// Serves the two mirrors.
    fn start(scene: &Scene, upgraded: &Path, fresh: &Path) -> Result<Self, Box<dyn Error>> {
        let (port, directory) = (free_port()?, scene.path().join("nginx"));
        fs::create_dir_all(&directory)?;
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let configuration = format!(
            "{user} daemon off; master_process off; pid pid; error_log error.log; events {{}}\n\
             http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
             uwsgi_temp_path uwsgi; scgi_temp_path scgi; server {{ listen 127.0.0.1:{port};\n\
             location /upgraded/ {{ alias \"{upgraded}/\"; }} location /fresh/ {{ alias \"{fresh}/\"; }} }} }}\n",
            upgraded = upgraded.display(),
            fresh = fresh.display(),
        );
        fs::write(directory.join("nginx.conf"), configuration)?;
        let child = Command::new("/usr/sbin/nginx")
            .args(["-p", &directory.to_string_lossy(), "-c", "nginx.conf"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { child, port };
        let end = Instant::now() + Duration::from_secs(20);
        while http(port, "GET", "/", "").is_err() {
            if Instant::now() > end {
                return Err(fs::read_to_string(directory.join("error.log"))?.into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Returns the lines of an answer by which a cache knows a page.
    fn validators(&self, path: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let answer = http(self.port, "GET", path, "")?;
        let is_validator = |line: &&str| line.starts_with("ETag:") || line.starts_with("Last-Modified:");
        let found: Vec<String> = answer.lines().filter(is_validator).map(str::to_owned).collect();
        if found.len() == 2 { Ok(found) } else { Err(format!("{path}: {answer}").into()) }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
