//! A content behind a deployment: an apply puts it on the host before its services start, and respects who edits it.

use std::error::Error;
use std::fs;

use crate::Outcome;
use crate::world::{PAGE, Site, World};

const SERVICE: &str = "1.web.dev.here";

const RECIPE: &str = r#"[package]
group = "org.copkg.examples"
id = "web"
version = "1"

[[contents]]
src = "bin"

[[contents]]
src = "etc"

[service]
exec = "bin/server"
reload_signal = "HUP"
settle = "50ms"

[service.config.motto]
type = "string"
default = "none"

[[service.templates]]
src = "etc/web.conf.j2"
"#;

/// It says when it is told to read its files again.
const SERVER: &str = "#!/bin/sh\ntrap 'echo again >>\"$COPKG_RUNTIME_DIR/log/reloads\"' HUP\n\
                      head -n 1 \"$(cat \"$COPKG_RUNTIME_DIR/etc/web.conf\" | head -n 1)/index.html\" >\"$COPKG_RUNTIME_DIR/log/first\"\n\
                      while :; do sleep 600 & wait; done\n";

const DESCRIPTION: &str = r#"[deployment]
group = "org.copkg.examples"
id = "shop"
version = "1"

[service.web]
package = "org.copkg.examples:web"
version = "1"
settings = { motto = "MOTTO" }

[content.site]
package = "org.copkg.examples:pages"
reload = "web"

[role.all]
services = ["web"]
"#;

const ENVIRONMENT: &str =
    "cell = \"here\"\nuser = \"dev\"\nchannel = \"prod\"\n\n[host.one]\nroles = [\"all\"]\n";

#[test]
fn an_apply_serves_contents_before_their_services_start_and_leaves_edited_ones_alone() -> Outcome {
    let world = World::new()?;
    publish_service(&world)?;
    let (site, mirror) = (world.host("one")?, world.site("two", "prod")?);
    let running = Running(&site);
    apply(&world, &site, "first")?.success()?;
    assert_eq!(site.serves("index.html"), PAGE);
    assert_eq!(running.log("first")?, "<h1>one</h1>\n", "it was there when the service started");
    // It follows its channel by itself.
    mirror.edit()?;
    mirror.write("index.html", "two\n")?;
    mirror.push(&[])?;
    assert_eq!((site.round(0)?.as_str(), site.serves("index.html").as_str()), ("converged", "two\n"));
    running.wait_for("reloads");
    // An apply that would have to change what is edited changes nothing.
    site.edit()?;
    site.write("index.html", "mine\n")?;
    mirror.edit()?;
    mirror.write("style/site.css", "theirs\n")?;
    mirror.push(&[])?;
    let refused = apply(&world, &site, "second")?.expect_code(7)?;
    assert_eq!(refused.json()?["error"]["code"], "content_held", "{refused}");
    assert_eq!(running.motto()?, "first");
    assert_eq!(site.serves("index.html"), "mine\n");
    site.ok(&["content", "abandon", "site"])?;
    apply(&world, &site, "second")?.success()?;
    assert_eq!((running.motto()?.as_str(), site.revision()?.as_str()), ("second", "3"));
    Ok(())
}

#[test]
fn mistakes_in_a_content_are_named_with_their_place() -> Outcome {
    let world = World::new()?;
    let site = world.host("one")?;
    describe(&world, "first")?;
    let path = world.scene.path().join("shop/deployment.toml");
    let text = fs::read_to_string(&path)?;
    fs::write(&path, text.replace("reload = \"web\"", "reload = \"wed\""))?;
    let unknown = site.run(&["deploy", "plan", "shop"])?.expect_code(1)?;
    assert!(unknown.err.contains("[content.site] reload") && unknown.err.contains("web"), "{unknown}");
    fs::write(&path, text)?;
    let environment = world.scene.path().join("shop/env/here.toml");
    fs::write(&environment, ENVIRONMENT.replace("channel = \"prod\"\n", ""))?;
    let without = site.run(&["deploy", "plan", "shop"])?.expect_code(1)?;
    assert!(without.err.contains("it lacks its channel"), "{without}");
    Ok(())
}

fn publish_service(world: &World) -> Outcome {
    let tree = world.scene.path().join("web");
    world.scene.write(tree.join("package.toml"), 0o644, RECIPE)?;
    world.scene.write(tree.join("bin/server"), 0o755, SERVER)?;
    world.scene.write(tree.join("etc/web.conf.j2"), 0o644, "{{ content.site }}\n{{ config.motto }}\n")?;
    let file = world.scene.build(&tree)?;
    world.registry.publish(&world.scene, &[&file], &["publisher.key"])?.success()?;
    Ok(())
}

fn describe(world: &World, motto: &str) -> Outcome {
    world.scene.write("shop/deployment.toml", 0o644, DESCRIPTION.replace("MOTTO", motto))?;
    world.scene.write("shop/env/here.toml", 0o644, ENVIRONMENT)?;
    Ok(())
}

fn apply(
    world: &World,
    site: &Site<'_>,
    motto: &str,
) -> Result<copkg_tests::execution::Execution, Box<dyn Error>> {
    describe(world, motto)?;
    site.run(&["deploy", "apply", "shop", "--yes"])
}

/// The service, which ends with the test.
struct Running<'w>(&'w Site<'w>);

impl Running<'_> {
    fn log(&self, name: &str) -> std::io::Result<String> {
        fs::read_to_string(self.0.prefix().join("runtime").join(SERVICE).join("log").join(name))
    }

    fn wait_for(&self, name: &str) {
        let began = std::time::Instant::now();
        while self.log(name).is_err() {
            assert!(began.elapsed() < std::time::Duration::from_secs(30), "there is no {name}");
        }
    }

    fn motto(&self) -> Result<String, Box<dyn Error>> {
        let text = fs::read_to_string(self.0.prefix().join("runtime").join(SERVICE).join("etc/web.conf"))?;
        Ok(text.lines().nth(1).unwrap_or_default().to_owned())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.0.run(&["stop", SERVICE]);
    }
}
