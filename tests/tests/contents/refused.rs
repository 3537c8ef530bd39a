//! What is not done, with the reason, the exit code and the code; editing goes on afterwards.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;

use copkg_tests::registry::REGISTRAR;
use copkg_tests::scene::GROUP;

use crate::Outcome;
use crate::world::{PAGE, World};

#[test]
fn names_and_revisions_that_are_not_there_are_refused() -> Outcome {
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    for words in [
        &["content", "edit", "sight"][..],
        &["content", "push", "sight", "--key", "publisher.key"],
        &["content", "list", "sight"],
        &["content", "activate", "1", "sight"],
    ] {
        site.fails(5, "content_unknown", words)?;
    }
    site.fails(5, "content_no_revision", &["content", "activate", "7", "site"])?;
    site.fails(5, "content_no_revision", &["content", "activate", "no such", "site"])?;
    site.fails(7, "content_not_edited", &["content", "push", "site", "--key", "publisher.key"])?;
    site.fails(7, "content_not_edited", &["content", "diff", "site"])?;
    site.fails(7, "content_exists", &["content", "add", "site", &format!("{GROUP}:pages@other")])?;
    site.fails(5, "no_version", &["content", "add", "more", &format!("{GROUP}:pages@beta")])?;
    site.run(&["content", "add", "No!", &format!("{GROUP}:pages@prod")])?.expect_code(2)?;
    assert_eq!(site.serves("index.html"), PAGE);
    Ok(())
}

#[test]
fn a_package_that_is_no_content_is_not_added() -> Outcome {
    let world = World::new()?;
    let tree = world.scene.path().join("web");
    let recipe = format!(
        "[package]\ngroup = \"{GROUP}\"\nid = \"web\"\nversion = \"1\"\n\n[[contents]]\nsrc = \"bin\"\n\n[service]\nexec = \"bin/run\"\n"
    );
    world.scene.write(tree.join("package.toml"), 0o644, recipe)?;
    world.scene.write(tree.join("bin/run"), 0o755, "#!/bin/sh\nexec sleep 600\n")?;
    let file = world.scene.build(&tree)?;
    let mut command =
        world.registry.command(&world.scene, &["publish", "--promote", "prod", "--key", "publisher.key"]);
    world.scene.run(command.arg(file))?.success()?;
    let site = world.host("one")?;
    site.fails(7, "not_a_content", &["content", "add", "web", &format!("{GROUP}:web@prod")])?;
    assert!(!site.prefix().join("content").exists());
    Ok(())
}

#[test]
fn edits_that_cannot_be_a_revision_are_named_and_stay() -> Outcome {
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    site.edit()?;
    let push = ["content", "push", "site", "--key", "publisher.key"];
    site.fails(7, "content_unchanged", &push)?;
    let edit = site.prefix().join("content/site/edit");
    let refuses = |name: &str| -> Outcome {
        let refused = site.fails(6, "content_not_publishable", &push)?;
        assert!(refused["message"].as_str().is_some_and(|text| text.starts_with(name)), "{refused}");
        Ok(())
    };
    site.write("key.pem", "secret")?;
    fs::set_permissions(edit.join("key.pem"), fs::Permissions::from_mode(0o600))?;
    refuses("key.pem cannot be in a revision")?;
    fs::remove_file(edit.join("key.pem"))?;
    std::os::unix::fs::symlink("../../../etc", edit.join("out"))?;
    refuses("out cannot be in a revision")?;
    fs::remove_file(edit.join("out"))?;
    let odd = edit.join(std::ffi::OsString::from_vec(b"caf\xe9".to_vec()));
    fs::write(&odd, "x")?;
    refuses("caf\u{fffd} cannot be in a revision")?;
    fs::remove_file(odd)?;
    // What a file holds need not be text, nor UTF-8.
    site.write("latin.html", b"caf\xe9\n")?;
    site.push(&["--message", "${package.version} is \"quoted\" ${here.too}\nand has two lines"])?;
    assert_eq!(fs::read(site.active().join("latin.html"))?, b"caf\xe9\n");
    let listed = site.ok(&["content", "list", "site", "-n", "1"])?;
    let message = &listed["revisions"][0]["message"];
    assert_eq!(message, "${package.version} is \"quoted\" ${here.too}\nand has two lines");
    assert_eq!(listed["more"], 1);
    Ok(())
}

#[test]
fn a_push_without_the_right_key_or_server_leaves_everything_as_it_is() -> Outcome {
    let mut world = World::new()?;
    world.scene.pkgbuild(["keygen", "stranger"])?.success()?;
    {
        let site = world.site("one", "prod")?;
        site.edit()?;
        site.write("index.html", "mine\n")?;
        site.fails(2, "content_no_key", &["content", "push", "site"])?;
        // A key of nobody, and one that speaks for something else.
        for key in ["stranger.key", REGISTRAR] {
            site.fails(6, "key_without_role", &["content", "push", "site", "--key", key])?;
        }
        site.fails(5, "key_missing", &["content", "push", "site", "--key", "missing.key"])?;
    }
    let prefix = world.scene.path().join("sites/one");
    world.registry.stop();
    let push = |world: &World| {
        let mut command = world
            .scene
            .command("pkginstall", ["content", "push", "site", "--key", "publisher.key", "--json"]);
        world.scene.run(command.env("COPKG_PREFIX", &prefix))
    };
    push(&world)?.expect_code(8)?;
    assert_eq!(fs::read_to_string(prefix.join("content/site/active/index.html"))?, "mine\n");
    world.registry.restart(&world.scene, &["online.key"])?;
    // It serves elsewhere now.
    let site = world.host("one")?;
    site.push(&[])?;
    assert_eq!((site.serves("index.html").as_str(), site.revision()?.as_str()), ("mine\n", "2"));
    Ok(())
}
