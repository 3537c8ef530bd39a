//! The main job, from source tree to running service and back to an empty host, for every example.

use std::error::Error;

use copkg_skip::skip;
use copkg_tests::example::Example;
use copkg_tests::network::{free_port, http, redis};
use copkg_tests::scene::{Scene, SceneError};

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn hello_service_answers_and_leaves_nothing_behind() -> Outcome {
    main_job(Example::HelloService, |port| {
        let answer = http(port, "GET", "/", "")?;
        assert!(answer.ends_with("Hello from 1.hello.dev.local\n"), "{answer}");
        Ok(())
    })
}

#[test]
fn redis_keeps_what_it_is_told() -> Outcome {
    main_job(Example::Redis, |port| {
        assert_eq!(redis(port, &["SET", "greeting", "hello"])?, "OK");
        assert_eq!(redis(port, &["GET", "greeting"])?, "hello");
        Ok(())
    })
}

#[test]
fn python_web_finds_its_framework_and_its_data() -> Outcome {
    main_job(Example::PythonWeb, |port| {
        http(port, "POST", "/", "name=Ada&text=Nice+place")?;
        let answer = http(port, "GET", "/", "")?;
        assert!(answer.contains(r#"{"name": "Ada", "text": "Nice place"}"#), "{answer}");
        Ok(())
    })
}

#[test]
fn multi_platform_runs_the_program_of_this_machine() -> Outcome {
    main_job(Example::MultiPlatform, |port| {
        let answer = http(port, "GET", "/", "")?;
        assert!(answer.ends_with(&format!("hello from {}-linux\n", std::env::consts::ARCH)), "{answer}");
        Ok(())
    })
}

#[test]
fn multi_platform_falls_back_to_what_runs_anywhere() -> Outcome {
    let scene = Scene::new()?;
    let Some(coordinate) = publish(&scene, Example::MultiPlatform)? else { return Ok(()) };
    install(&scene, &coordinate)?;
    let port = free_port()?;
    let port_option = format!("--port={port}");
    let start = ["start", &coordinate, "--as", "2.greeter.dev.local", "--", &port_option, "--platform=any"];
    scene.pkginstall(start)?.success()?;
    let answer = http(port, "GET", "/", "");
    scene.pkginstall(["stop", "2.greeter.dev.local"])?.success()?;
    let answer = answer?;
    assert!(answer.ends_with("hello from any\n"), "{answer}");
    Ok(())
}

/// Takes one example the whole way.
fn main_job(example: Example, talk: impl Fn(u16) -> Outcome) -> Outcome {
    let scene = Scene::new()?;
    let Some(coordinate) = publish(&scene, example)? else { return Ok(()) };
    install(&scene, &coordinate)?;
    assert_eq!(install_again(&scene, &coordinate)?, Some(false), "a second install has nothing to do");

    let service = example.service();
    let port = free_port()?;
    let port_option = format!("--port={port}");
    scene.pkginstall(["start", &coordinate, "--as", service, "--", &port_option])?.success()?;
    let talked = talk(port);
    let status = scene.pkginstall(["status", service, "--json"]);
    let refused = scene.pkginstall(["remove", &coordinate]);
    scene.pkginstall(["stop", service])?.success()?;
    talked?;
    assert!(status?.success()?.out.contains("running"));
    refused?.expect_code(7)?;

    scene.pkginstall(["status", service])?.expect_code(3)?;
    scene.pkginstall(["verify", &coordinate])?.success()?;
    scene.pkginstall(["remove", &coordinate])?.success()?;
    assert_eq!(scene.traces(), [""; 0], "something is left");
    Ok(())
}

/// Builds and publishes an example; none when this machine cannot.
fn publish(scene: &Scene, example: Example) -> Result<Option<String>, SceneError> {
    let tree = scene.path().join(example.name());
    if let Err(why) = example.prepare(&tree) {
        skip(example.name(), &why);
        return Ok(None);
    }
    let file = scene.build(&tree)?;
    scene.publish(&file)?;
    Ok(Some(example.coordinate(&tree)?))
}

fn install(scene: &Scene, coordinate: &str) -> Result<(), Box<dyn Error>> {
    scene.trust()?;
    let repository = scene.serve()?;
    let done = scene.pkginstall(["install", coordinate, "--repo", repository.url(), "--json"])?.success()?;
    assert_eq!(done.json()?["changed"], true, "{done}");
    assert!(scene.software(coordinate).is_dir());
    Ok(())
}

fn install_again(scene: &Scene, coordinate: &str) -> Result<Option<bool>, Box<dyn Error>> {
    let repository = scene.serve()?;
    let done = scene.pkginstall(["install", coordinate, "--repo", repository.url(), "--json"])?.success()?;
    Ok(done.json()?["changed"].as_bool())
}
