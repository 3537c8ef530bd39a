//! Users: with root `[service] user` is honoured; without root everything works below a prefix.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::scene::{GROUP, Scene};

type Outcome = Result<(), Box<dyn Error>>;

/// The user `nobody` of Debian and its kin.
const NOBODY: u32 = 65534;

#[test]
fn root_starts_a_service_as_the_user_that_the_recipe_names() -> Outcome {
    if !rustix::process::geteuid().is_root() {
        skip("[service] user", "only root can start something as another user");
        return Ok(());
    }
    let scene = Scene::new()?;
    // The service's user must reach its prefix.
    let place = tempfile::Builder::new().prefix("copkg-root-").permissions(open_to_all()).tempdir()?;
    let scene = scene.with_prefix(place.path().join("host"));
    let file = sleeper(&scene, "user = \"nobody\"\n")?;
    scene.trust()?;
    scene.pkginstall(["install".as_ref(), file.as_os_str()])?.success()?;
    scene.pkginstall(["start", &format!("{GROUP}:sleeper:1"), "--as", "1.sleeper.dev.local"])?.success()?;
    let runtime = scene.prefix().join("runtime/1.sleeper.dev.local");
    let owners = owners(&runtime);
    scene.pkginstall(["stop", "1.sleeper.dev.local"])?.success()?;
    let (process, data) = owners?;
    assert_eq!(process, NOBODY, "the service ran as another user");
    assert_eq!(data, NOBODY, "its data belong to another user");
    Ok(())
}

#[test]
fn what_root_installs_with_a_closed_umask_is_open_to_the_user_of_a_service() -> Outcome {
    if !rustix::process::geteuid().is_root() {
        skip("[service] user", "only root can start something as another user");
        return Ok(());
    }
    let scene = Scene::new()?;
    let place = tempfile::Builder::new().prefix("copkg-root-").permissions(open_to_all()).tempdir()?;
    let scene = scene.with_prefix(place.path().join("host"));
    let file = sleeper(&scene, "user = \"nobody\"\n")?.to_string_lossy().into_owned();
    let coordinate = format!("{GROUP}:sleeper:1");
    let steps: [&[&str]; 3] = [
        &["trust", "add", GROUP, "publisher.pub"],
        &["install", &file],
        &["start", &coordinate, "--as", "1.sleeper.dev.local"],
    ];
    for step in steps {
        with_umask(&scene, "077", step)?.success()?;
    }
    let owners = owners(&scene.prefix().join("runtime/1.sleeper.dev.local"));
    scene.pkginstall(["stop", "1.sleeper.dev.local"])?.success()?;
    assert_eq!(owners?, (NOBODY, NOBODY));
    // Everybody may look.
    let home = tempfile::Builder::new().prefix("copkg-user-").permissions(open_to_all()).tempdir()?;
    scene.programs().copy("pkginstall", home.path())?;
    give_to_nobody(home.path())?;
    let list = as_nobody(&scene, home.path(), &["list"])?.success()?;
    assert!(list.out.contains(&coordinate), "{list}");
    Ok(())
}

#[test]
fn everything_works_below_a_prefix_without_root() -> Outcome {
    let scene = Scene::new()?;
    let file = sleeper(&scene, "")?;
    let home = tempfile::Builder::new().prefix("copkg-user-").permissions(open_to_all()).tempdir()?;
    let scene = scene.with_prefix(home.path().join("host"));
    fs::copy(&file, home.path().join("sleeper.copkg"))?;
    fs::copy(scene.path().join("publisher.pub"), home.path().join("publisher.pub"))?;
    // The build directory may lie where only its owner looks.
    scene.programs().copy("pkginstall", home.path())?;
    let coordinate = format!("{GROUP}:sleeper:1");
    let service = "1.sleeper.dev.local";
    let steps: [&[&str]; 8] = [
        &["trust", "add", GROUP, "publisher.pub"],
        &["install", "sleeper.copkg"],
        &["verify", "--all"],
        &["start", &coordinate, "--as", service],
        &["status", service],
        &["restart", service],
        &["stop", service],
        &["remove", &coordinate],
    ];
    give_to_nobody(home.path())?;
    let (last, before) = steps.split_last().ok_or("no steps")?;
    for step in before {
        as_nobody(&scene, home.path(), step)?.success()?;
    }
    // What its owner put into the package all the same outlives it.
    let software = scene.software(&coordinate);
    let writable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&software, writable)?;
    fs::create_dir(software.join("mine"))?;
    fs::write(software.join("mine/rows"), "rows")?;
    give_to_nobody(&software.join("mine"))?;
    let remove: Vec<&str> = last.iter().copied().chain(["--json"]).collect();
    let removed = as_nobody(&scene, home.path(), &remove)?.success()?.json()?;
    let kept = removed["packages"][0]["set_aside"]["path"].as_str().ok_or("nothing was kept")?;
    assert_eq!(fs::read_to_string(Path::new(kept).join("mine/rows"))?, "rows");
    fs::remove_dir_all(scene.prefix().join("software/.set-aside"))?;
    assert_eq!(scene.traces(), [""; 0]);
    Ok(())
}

#[test]
fn a_user_without_a_prefix_is_told_which_one_to_take() -> Outcome {
    let scene = Scene::new()?;
    let home = tempfile::Builder::new().prefix("copkg-user-").permissions(open_to_all()).tempdir()?;
    scene.programs().copy("pkginstall", home.path())?;
    give_to_nobody(home.path())?;
    let mut command = nobodys(home.path(), &["list"]);
    command.env_remove("COPKG_PREFIX").env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path());
    let done = scene.run(&mut command)?.expect_code(2)?;
    assert!(done.err.contains("--prefix"), "{done}");
    Ok(())
}

/// Builds a service that does nothing, with `more` in its `[service]` section.
fn sleeper(scene: &Scene, more: &str) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let recipe = format!(
        "[package]\ngroup = \"{GROUP}\"\nid = \"sleeper\"\nversion = \"1\"\n\n[[contents]]\nsrc = \"bin\"\n\n\
         [service]\nexec = \"bin/sleeper\"\n{more}"
    );
    scene.write("sleeper/package.toml", 0o644, recipe)?;
    let program = "#!/bin/sh\ntouch \"$COPKG_RUNTIME_DIR/data/alive\"\nexec sleep 600\n";
    scene.write("sleeper/bin/sleeper", 0o755, program)?;
    Ok(scene.build(&scene.path().join("sleeper"))?)
}

/// Returns who owns the process and who the file that it wrote.
fn owners(runtime: &Path) -> Result<(u32, u32), Box<dyn Error>> {
    let pid = fs::read_to_string(runtime.join("run/start.pid"))?;
    let process = fs::metadata(Path::new("/proc").join(pid.lines().next().unwrap_or_default()))?.uid();
    Ok((process, fs::metadata(runtime.join("data/alive"))?.uid()))
}

fn with_umask(scene: &Scene, umask: &str, arguments: &[&str]) -> Result<Execution, Box<dyn Error>> {
    let inner = scene.command("pkginstall", arguments);
    let mut outer = Command::new("sh");
    outer
        .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    outer.current_dir(inner.get_current_dir().unwrap_or(scene.path()));
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    Ok(scene.run(&mut outer)?)
}

fn as_nobody(scene: &Scene, home: &Path, arguments: &[&str]) -> Result<Execution, Box<dyn Error>> {
    let mut command = nobodys(home, arguments);
    command
        .env("COPKG_PREFIX", scene.prefix())
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join(".config"));
    Ok(scene.run(&mut command)?)
}

/// Returns a command of `pkginstall` without root: as it is for a user, through `setpriv` for root.
fn nobodys(home: &Path, arguments: &[&str]) -> Command {
    let program = home.join("pkginstall");
    let mut command = if rustix::process::geteuid().is_root() {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
        setpriv
    } else {
        Command::new(program)
    };
    command.args(arguments).current_dir(home);
    command
}

fn give_to_nobody(directory: &Path) -> Outcome {
    if rustix::process::geteuid().is_root() {
        Execution::of(Command::new("chown").args(["-R", "65534:65534"]).arg(directory))?.success()?;
    }
    Ok(())
}

fn open_to_all() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}
