//! Editing: the hold, what it keeps from writing, and how it ends without a push.

use std::fs;

use copkg_tests::scene::GROUP;

use crate::Outcome;
use crate::world::{PAGE, World};

#[test]
fn edits_are_served_as_they_are_saved_and_shown_by_file_and_line() -> Outcome {
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    assert_eq!((site.serves("index.html").as_str(), site.revision()?.as_str()), (PAGE, "1"));
    site.edit()?;
    site.write("index.html", PAGE.replace("one", "two"))?;
    site.write("picture", b"\0\x02")?;
    site.write("new.html", "new\n")?;
    assert_eq!(site.serves("index.html"), PAGE.replace("one", "two"));
    let text = world.scene.run(&mut site.command(&["content", "diff", "site"]))?.success()?.out;
    assert!(text.contains("@@ -1,4 +1,4 @@\n-<h1>one</h1>\n+<h1>two</h1>\n 2\n"), "{text}");
    assert!(text.contains("+new\n") && text.contains("changed   picture  binary"), "{text}");
    let status = site.status()?;
    assert_eq!((&status["edited"], &status["hold"]["reason"]), (&3.into(), &"new prices".into()));
    // Revisions never change.
    let revision = site.prefix().join("software").join(GROUP.replace('.', "/")).join("pages/1/index.html");
    assert_eq!(fs::read_to_string(revision)?, PAGE);
    // Of a content that is edited already, the same person is told where.
    assert_eq!(site.ok(&["content", "edit", "site"])?["changed"], false);
    Ok(())
}

#[test]
fn hidden_edits_are_served_when_they_are_pushed() -> Outcome {
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    site.ok(&["content", "edit", "site", "--hidden"])?;
    site.write("index.html", "hidden\n")?;
    assert_eq!(site.serves("index.html"), PAGE);
    site.push(&[])?;
    assert_eq!((site.serves("index.html").as_str(), site.revision()?.as_str()), ("hidden\n", "2"));
    Ok(())
}

#[test]
fn nothing_writes_to_a_content_that_is_edited() -> Outcome {
    let world = World::new()?;
    let (site, other) = (world.site("one", "prod")?, world.site("two", "prod")?);
    site.edit()?;
    site.write("index.html", "mine\n")?;
    assert_eq!(site.round(0)?, "held");
    other.edit()?;
    other.write("style/site.css", "theirs\n")?;
    other.push(&[])?;
    // There is something to write now, and the agent refuses to.
    assert_eq!(site.round(7)?, "held");
    let held = site.fails(7, "content_held", &["content", "activate", "1", "site"])?;
    let message = held["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("site is being edited by ") && message.ends_with(": new prices"),
        "{message}"
    );
    site.fails(7, "content_held", &["content", "remove", "site"])?;
    assert_eq!(site.serves("index.html"), "mine\n");
    let status = world.scene.run(&mut site.command(&["status"]))?;
    assert!(status.err.contains("content site is being edited by "), "{status}");
    Ok(())
}

#[test]
fn edits_of_somebody_else_are_ended_only_when_that_is_said() -> Outcome {
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    site.edit()?;
    let as_bob = |words: &[&str]| {
        let mut command = site.command(&[words, &["--json"]].concat());
        world.scene.run(command.env("SUDO_USER", "bob"))
    };
    for words in [&["content", "edit", "site"][..], &["content", "abandon", "site"]] {
        let refused = as_bob(words)?.expect_code(7)?;
        assert_eq!(refused.json()?["error"]["code"], "content_held", "{refused}");
    }
    as_bob(&["content", "push", "site", "--key", "publisher.key"])?.expect_code(7)?;
    as_bob(&["content", "abandon", "site", "--take-over"])?.success()?;
    assert_eq!(site.status()?["hold"], serde_json::Value::Null);
    Ok(())
}

#[test]
fn abandoned_edits_are_set_aside_and_kept_for_their_time() -> Outcome {
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    site.edit()?;
    site.write("index.html", "mine\n")?;
    let abandoned = world.scene.run(&mut site.command(&["content", "abandon", "site"]))?.success()?;
    let aside = site.status()?["set_aside"][0]["path"].as_str().unwrap_or_default().to_owned();
    assert!(abandoned.err.contains(&aside) && !aside.is_empty(), "{abandoned}");
    assert_eq!(fs::read_to_string(format!("{aside}/edit/index.html"))?, "mine\n");
    assert_eq!((site.serves("index.html").as_str(), site.revision()?.as_str()), (PAGE, "1"));
    site.fails(7, "content_not_edited", &["content", "abandon", "site"])?;
    site.ok(&["gc"])?;
    assert!(fs::exists(&aside)?);
    let gone = site.ok(&["gc", "--keep-data", "0s"])?;
    assert_eq!(gone["removed"]["edits"][0]["path"], aside.as_str());
    assert!(!fs::exists(&aside)?);
    Ok(())
}

#[test]
fn an_activated_revision_stays_until_the_channel_moves_on() -> Outcome {
    let world = World::new()?;
    let (site, other) = (world.site("one", "prod")?, world.site("two", "prod")?);
    site.edit()?;
    site.write("index.html", "two\n")?;
    site.push(&["--message", "prices of December"])?;
    site.ok(&["content", "activate", "1", "site"])?;
    assert_eq!((site.serves("index.html").as_str(), site.revision()?.as_str()), (PAGE, "1"));
    assert_eq!((site.round(0)?.as_str(), site.revision()?.as_str()), ("held", "1"));
    let listed = site.ok(&["content", "list", "site"])?["revisions"].take();
    let two = &listed[0];
    assert_eq!(
        (&two["id"], &two["active"], &two["message"]),
        (&"2".into(), &false.into(), &"prices of December".into())
    );
    assert!(two["author"].as_str().is_some_and(|author| !author.is_empty()) && two["time"].is_string());
    assert_eq!(
        (&listed[1]["id"], &listed[1]["active"], &listed[1]["author"]),
        (&"1".into(), &true.into(), &"the founders".into())
    );
    // The newer one is activated by the same command.
    site.ok(&["content", "activate", "2", "site"])?;
    assert_eq!((site.serves("index.html").as_str(), site.round(0)?.as_str()), ("two\n", "converged"));
    site.ok(&["content", "activate", "1", "site"])?;
    assert_eq!(other.round(0)?, "converged");
    other.edit()?;
    other.write("index.html", "three\n")?;
    other.push(&[])?;
    assert_eq!((site.round(0)?.as_str(), site.serves("index.html").as_str()), ("converged", "three\n"));
    Ok(())
}

#[test]
fn what_is_served_and_edited_is_not_removed() -> Outcome {
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    let package = format!("{GROUP}:pages:1");
    site.ok(&["gc", "--unused"])?;
    site.fails(7, "needed", &["remove", &package])?;
    site.edit()?;
    site.ok(&["gc", "--unused"])?;
    assert_eq!(site.status()?["edited"], 0);
    site.ok(&["content", "abandon", "site"])?;
    site.ok(&["content", "remove", "site"])?;
    assert!(!site.active().exists());
    site.fails(5, "content_unknown", &["content", "status", "site"])?;
    site.ok(&["gc", "--unused"])?;
    assert!(!site.prefix().join("software").join(GROUP.replace('.', "/")).join("pages").exists());
    Ok(())
}
