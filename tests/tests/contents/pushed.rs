//! Pushing: which sites change, what happens when two push, and what waits for a second signature.

use std::fs;

use copkg_tests::scene::GROUP;

use crate::Outcome;
use crate::world::{PAGE, World};

#[test]
fn a_push_moves_the_channel_of_this_site_and_with_all_sites_every_channel() -> Outcome {
    let world = World::new()?;
    let (site, mirror, outsider) =
        (world.site("one", "prod")?, world.site("two", "prod")?, world.site("three", "other")?);
    site.edit()?;
    site.write("index.html", "two\n")?;
    let pushed = site.push(&["--message", "only here"])?;
    assert_eq!(
        (&pushed["state"], &pushed["revision"]),
        (&"published".into(), &format!("{GROUP}:pages:2").into())
    );
    for (host, standing, page) in
        [(&site, "converged", "two\n"), (&mirror, "converged", "two\n"), (&outsider, "converged", PAGE)]
    {
        assert_eq!((host.round(0)?.as_str(), host.serves("index.html").as_str()), (standing, page));
    }
    assert_eq!(site.status()?["hold"], serde_json::Value::Null);
    assert!(!site.prefix().join("content/site/edit").exists());
    mirror.edit()?;
    mirror.write("index.html", "three\n")?;
    mirror.push(&["--all-sites"])?;
    for host in [&site, &mirror, &outsider] {
        assert_eq!((host.round(0)?.as_str(), host.serves("index.html").as_str()), ("converged", "three\n"));
        assert_eq!(host.revision()?, "3");
    }
    Ok(())
}

#[test]
fn a_channel_that_was_moved_meanwhile_is_a_conflict_and_is_merged_by_file_and_line() -> Outcome {
    let world = World::new()?;
    let (site, mirror) = (world.site("one", "prod")?, world.site("two", "prod")?);
    for host in [&site, &mirror] {
        host.edit()?;
    }
    mirror.write("index.html", PAGE.replace('9', "nine"))?;
    mirror.write("theirs.html", "theirs\n")?;
    mirror.push(&[])?;
    site.write("index.html", PAGE.replace("one", "mine"))?;
    let moved = site.fails(7, "content_moved", &["content", "push", "site", "--key", "publisher.key"])?;
    assert!(moved["message"].as_str().is_some_and(|text| text.contains("from 1 to 2")), "{moved}");
    site.push(&["--merge"])?;
    let both = PAGE.replace('9', "nine").replace("one", "mine");
    assert_eq!(
        (site.serves("index.html"), site.serves("theirs.html")),
        (both.clone(), "theirs\n".to_owned())
    );
    assert_eq!((mirror.round(0)?.as_str(), mirror.serves("index.html")), ("converged", both));
    Ok(())
}

#[test]
fn lines_that_both_changed_are_named_and_nothing_is_lost() -> Outcome {
    let world = World::new()?;
    let (site, mirror) = (world.site("one", "prod")?, world.site("two", "prod")?);
    for host in [&site, &mirror] {
        host.edit()?;
    }
    mirror.write("index.html", PAGE.replace('5', "theirs"))?;
    mirror.push(&[])?;
    let mine = PAGE.replace('5', "mine");
    site.write("index.html", &mine)?;
    let push = ["content", "push", "site", "--key", "publisher.key", "--merge"];
    let torn = site.fails(7, "content_unsettled", &push)?;
    assert!(torn["message"].as_str().is_some_and(|text| text.contains("index.html:5")), "{torn}");
    // No marks are served.
    assert_eq!(site.serves("index.html"), mine);
    let conflict = site.prefix().join("content/site/conflicts/index.html");
    let marked = fs::read_to_string(&conflict)?;
    assert!(marked.contains("mine\n") && marked.contains("theirs\n"), "{marked}");
    site.fails(7, "content_unsettled", &push)?;
    // Marks that were taken over unread are found, too.
    site.write("index.html", &marked)?;
    fs::remove_file(&conflict)?;
    site.fails(7, "content_unsettled", &push)?;
    site.write("index.html", PAGE.replace('5', "both"))?;
    site.push(&[])?;
    assert_eq!(
        (mirror.round(0)?.as_str(), mirror.serves("index.html")),
        ("converged", PAGE.replace('5', "both"))
    );
    Ok(())
}

#[test]
fn two_sites_with_channels_of_their_own_push_at_once() -> Outcome {
    let world = World::new()?;
    let (site, outsider) = (world.site("one", "prod")?, world.site("three", "other")?);
    for (host, page) in [(&site, "prod\n"), (&outsider, "other\n")] {
        host.edit()?;
        host.write("index.html", page)?;
    }
    let begun = [&site, &outsider].map(|host| {
        let mut command = host.command(&["content", "push", "site", "--key", "publisher.key", "--json"]);
        command.spawn()
    });
    for child in begun {
        assert!(child?.wait()?.success());
    }
    assert_eq!(
        (site.serves("index.html").as_str(), outsider.serves("index.html").as_str()),
        ("prod\n", "other\n")
    );
    let mut revisions = [site.revision()?, outsider.revision()?];
    revisions.sort();
    assert_eq!(revisions, ["2", "3"]);
    // Both know of each other now.
    assert_eq!(site.round(0)?, "converged");
    site.edit()?;
    site.write("index.html", "all\n")?;
    site.push(&["--all-sites"])?;
    assert_eq!((outsider.round(0)?.as_str(), outsider.serves("index.html").as_str()), ("converged", "all\n"));
    Ok(())
}

#[test]
fn a_push_that_one_key_does_not_suffice_for_waits_and_the_hold_stays() -> Outcome {
    let world = World::with_keys(&["publisher", "second"], 2)?;
    let (site, mirror) = (world.site("one", "prod")?, world.site("two", "prod")?);
    site.edit()?;
    site.write("index.html", "two\n")?;
    let pushed = site.push(&["--message", "for two"])?;
    assert_eq!((&pushed["state"], &pushed["changed"]), (&"pending".into(), &true.into()));
    let proposal = pushed["proposal"].as_str().unwrap_or_default().to_owned();
    assert_eq!(site.status()?["hold"]["push"]["proposal"], proposal.as_str());
    // Made again, it is the same push, and nothing has moved.
    assert_eq!(site.push(&[])?["proposal"], proposal.as_str());
    assert_eq!((site.round(0)?.as_str(), mirror.round(0)?.as_str()), ("held", "converged"));
    assert_eq!(mirror.serves("index.html"), PAGE);
    let signed =
        world.registry.pkgbuild(&world.scene, &["publish", "--co-sign", &proposal, "--key", "second.key"])?;
    signed.success()?;
    assert_eq!((site.round(0)?.as_str(), site.revision()?.as_str()), ("converged", "2"));
    assert_eq!(site.status()?["hold"], serde_json::Value::Null);
    assert_eq!((mirror.round(0)?.as_str(), mirror.serves("index.html").as_str()), ("converged", "two\n"));
    Ok(())
}

#[test]
fn what_was_edited_while_a_push_waited_is_still_yours() -> Outcome {
    let world = World::with_keys(&["publisher", "second"], 2)?;
    let site = world.site("one", "prod")?;
    site.edit()?;
    site.write("index.html", "two\n")?;
    let pushed = site.push(&[])?;
    site.write("index.html", "two and a half\n")?;
    let proposal = pushed["proposal"].as_str().unwrap_or_default().to_owned();
    world
        .registry
        .pkgbuild(&world.scene, &["publish", "--co-sign", &proposal, "--key", "second.key"])?
        .success()?;
    assert_eq!(site.round(0)?, "held");
    assert_eq!(site.serves("index.html"), "two and a half\n");
    let status = site.status()?;
    assert_eq!((&status["edited"], &status["hold"]["push"]), (&1.into(), &serde_json::Value::Null));
    assert_eq!(site.revision()?, "2");
    Ok(())
}
