//! Several commands at once: one does it, the others say that it is done.

use std::error::Error;
use std::process::{Child, Stdio};

use copkg_tests::scene::{GROUP, Scene, SceneError};

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn of_two_installs_at_once_one_does_it() -> Outcome {
    let scene = Scene::new()?;
    let file = scene.build(&scene.small_tree("small", "1.0.0")?)?;
    scene.trust()?;
    for _ in 0..5 {
        let changed = all_at_once(&scene, 2, &["install", &file.to_string_lossy(), "--json"])?;
        assert_eq!(changed, 1, "of two installs {changed} changed something");
        scene.pkginstall(["verify", "--all"])?.success()?;
        scene.pkginstall(["remove", &format!("{GROUP}:small:1.0.0")])?.success()?;
    }
    assert_eq!(scene.traces(), [""; 0]);
    Ok(())
}

#[test]
fn installs_of_different_packages_do_not_disturb_each_other() -> Outcome {
    let scene = Scene::new()?;
    let mut files = Vec::new();
    for number in 0..6 {
        files.push(scene.build(&scene.small_tree(&format!("small-{number}"), "1.0.0")?)?);
    }
    scene.trust()?;
    let children: Result<Vec<_>, _> =
        files.iter().map(|file| spawn(&scene, &["install", &file.to_string_lossy(), "--json"])).collect();
    for child in children? {
        assert!(child.wait_with_output()?.status.success());
    }
    scene.pkginstall(["verify", "--all"])?.success()?;
    Ok(())
}

#[test]
fn of_twenty_starts_at_once_one_does_it() -> Outcome {
    let scene = Scene::new()?;
    let recipe = format!(
        "[package]\ngroup = \"{GROUP}\"\nid = \"sleeper\"\nversion = \"1\"\n\n[[contents]]\nsrc = \"bin\"\n\n\
         [service]\nexec = \"bin/sleeper\"\n"
    );
    scene.write("sleeper/package.toml", 0o644, recipe)?;
    // Each start of the program leaves a line, so that two of them show.
    scene.write(
        "sleeper/bin/sleeper",
        0o755,
        "#!/bin/sh\necho started >>\"$COPKG_RUNTIME_DIR/data/starts\"\nexec sleep 600\n",
    )?;
    let file = scene.build(&scene.path().join("sleeper"))?;
    scene.trust()?;
    scene.pkginstall(["install".as_ref(), file.as_os_str()])?.success()?;

    let coordinate = format!("{GROUP}:sleeper:1");
    let changed = all_at_once(&scene, 20, &["start", &coordinate, "--as", "1.sleeper.dev.local", "--json"]);
    let starts = std::fs::read_to_string(scene.prefix().join("runtime/1.sleeper.dev.local/data/starts"));
    scene.pkginstall(["stop", "1.sleeper.dev.local"])?.success()?;
    assert_eq!(changed?, 1);
    assert_eq!(starts?, "started\n");
    Ok(())
}

/// Runs the same command several times at once; every one must succeed. Returns how many changed something.
fn all_at_once(scene: &Scene, times: usize, arguments: &[&str]) -> Result<usize, Box<dyn Error>> {
    let children: Result<Vec<Child>, SceneError> = (0..times).map(|_| spawn(scene, arguments)).collect();
    let mut changed = 0;
    for child in children? {
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{:?}: {said}", output.status);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        changed += usize::from(document["changed"].as_bool().ok_or("no `changed`")?);
    }
    Ok(changed)
}

fn spawn(scene: &Scene, arguments: &[&str]) -> Result<Child, SceneError> {
    let mut command = scene.command("pkginstall", arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|source| SceneError::Disk { path: "pkginstall".into(), source })
}
