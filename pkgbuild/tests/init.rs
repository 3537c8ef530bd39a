//! First recipes: what a tree is taken for, and that the recipe builds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use std::fs;

use workshop::Workshop;

fn init(workshop: &Workshop) -> String {
    let said = workshop.works(&["init", "tree", "--group", "org.example"]);
    format!("{}{}", said.err, fs::read_to_string(workshop.path("tree/package.toml")).unwrap())
}

#[test]
fn a_plain_tree_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    workshop.program("tree/bin/server", "#!/bin/sh\nexec sleep 1000\n");
    insta::assert_snapshot!(init(&workshop));
    workshop.works(&["build", "tree"]);
}

#[test]
fn a_tree_without_a_program_becomes_content() {
    let workshop = Workshop::new();
    workshop.write("tree/page.html", "<p>Hello");
    insta::assert_snapshot!(init(&workshop));
    workshop.works(&["build", "tree"]);
}

#[test]
fn a_tree_with_scripts_of_its_own_keeps_them() {
    let workshop = Workshop::new();
    workshop.program("tree/script.d/start.py", "#!/usr/bin/env python3\n");
    workshop.program("tree/script.d/stop.py", "#!/usr/bin/env python3\n");
    assert!(!init(&workshop).contains("exec ="));
    workshop.works(&["build", "tree"]);
}

#[test]
fn a_node_package_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    let manifest = r#"{ "name": "@team/Web_App", "version": "2.0.0", "main": "./server.js", "license": "MIT", "description": "Costs ${five} dollars" }"#;
    workshop.write("tree/package.json", manifest);
    workshop.write("tree/server.js", "require('http').createServer().listen(process.env.PORT)\n");
    insta::assert_snapshot!(init(&workshop));
    workshop.works(&["build", "tree"]);
    workshop.write("other/package.json", r#"{ "name": "x", "dependencies": { "left-pad": "1" } }"#);
    insta::assert_snapshot!("node_with_dependencies", workshop.works(&["init", "other", "--dry-run"]).out);
    assert!(!workshop.path("other/package.toml").exists());
}

#[test]
fn a_python_project_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    workshop.write("tree/pyproject.toml", "[project]\nname = \"my-web\"\nversion = \"0.4.1\"\n");
    workshop.write("tree/src/my_web/__main__.py", "import http.server\n");
    // Building it takes pip and a package index.
    insta::assert_snapshot!(init(&workshop).replace(std::env::consts::ARCH, "ARCH"));
    workshop.write("other/pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"bottle>=0.13\"]\n");
    workshop.write("other/x/__main__.py", "");
    let text = workshop.works(&["init", "other", "--dry-run"]).out;
    insta::assert_snapshot!("python_with_dependencies", text.replace(std::env::consts::ARCH, "ARCH"));
}

#[test]
fn a_tree_with_a_makefile_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    let makefile = "all: notes\nnotes:\n\techo made >notes\ninstall: notes\n\tmkdir -p $(DESTDIR)$(PREFIX)/share\n\tcp notes $(DESTDIR)$(PREFIX)/share/\n";
    workshop.write("tree/Makefile", makefile);
    let text = init(&workshop);
    insta::assert_snapshot!(text.replace(std::env::consts::ARCH, "ARCH"));
    workshop.works(&["build", "tree"]);
    workshop.write("other/Makefile", "all:\n\techo made >notes\n");
    workshop.works(&["init", "other"]);
    workshop.works(&["build", "other"]);
}

#[test]
fn a_rust_crate_becomes_a_recipe_that_builds() {
    let workshop = Workshop::new();
    let manifest = "[package]\nname = \"web-front\"\nversion = \"1.2.3\"\nedition = \"2021\"\nlicense = \"MIT\"\n[workspace]\n";
    workshop.write("tree/Cargo.toml", manifest);
    workshop.write("tree/src/main.rs", "fn main() { println!(\"{}\", std::env::args().count()); }\n");
    insta::assert_snapshot!(init(&workshop).replace(std::env::consts::ARCH, "ARCH"));
    let mut command = workshop.command(&["build", "tree"]);
    // Cargo and its toolchain are where this test has them.
    let ours =
        ["HOME", "CARGO_HOME", "RUSTUP_HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let said = workshop.say(&command.envs(ours).output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_recipe_is_never_overwritten() {
    let workshop = Workshop::with_notes();
    insta::assert_snapshot!(workshop.fails(&["init"]));
}

#[test]
fn what_npm_start_starts_is_what_the_service_starts() {
    let starts = |manifest: &str| {
        let workshop = Workshop::new();
        workshop.write("tree/package.json", manifest);
        workshop.write("tree/bin/www", "app.listen(process.env.PORT || 3000)\n");
        let text = init(&workshop);
        let lines = text.lines().filter(|line| {
            ["exec", "kind", "parameters", "build =", "prepare", "npm "]
                .iter()
                .any(|key| line.starts_with(key))
        });
        let heard = text.lines().skip(1).take_while(|line| line.starts_with("  "));
        format!("# {manifest}\n{}\n", heard.chain(lines).collect::<Vec<_>>().join("\n"))
    };
    let all = [
        starts(r#"{ "scripts": { "start": "node ./bin/www" }, "dependencies": { "express": "4" } }"#),
        starts(r#"{ "scripts": { "start": "NODE_ENV=test node --trace-warnings bin/www" } }"#),
        starts(
            r#"{ "scripts": { "start": "next start", "build": "next build" }, "dependencies": { "next": "14" } }"#,
        ),
        starts(r#"{ "scripts": { "start": "npm run build && node bin/www" } }"#),
        starts(r#"{ "scripts": { "start": "node bin/www | tee log" }, "main": "bin/www" }"#),
        starts(r#"{ "bin": { "tool": "cli.js" } }"#),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn other_trees_are_recognised_and_what_was_found_is_said() {
    let look = |files: &[(&str, &str)]| {
        let workshop = Workshop::new();
        for (path, text) in files {
            workshop.write(&format!("tree/{path}"), text);
        }
        let text = init(&workshop);
        let heard =
            text.lines().take_while(|line| !line.starts_with('#')).filter(|line| !line.starts_with("next"));
        let lines = text
            .lines()
            .filter(|line| line.starts_with("exec") || line.starts_with("kind") || line.starts_with("src"));
        heard.chain(lines).collect::<Vec<_>>().join("\n")
    };
    let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n";
    let command = "#!/tmp/venv/bin/python3\nimport sys\nfrom radicale.__main__ import run\nsys.exit(run())\n";
    let all = [
        look(&[("manage.py", manage), ("mysite/settings.py", ""), ("requirements.txt", "django>=4\n")]),
        look(&[("manage.py", manage), ("requirements.txt", "Django==4.2\ngunicorn\n")]),
        look(&[
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("requirements.txt", "flask\n"),
        ]),
        look(&[
            ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
            ("requirements.txt", "fastapi\n"),
        ]),
        look(&[("setup.py", "setup(name='tool')\n"), ("tool/__init__.py", "")]),
        look(&[(
            "pyproject.toml",
            "[project]\nname = \"x\"\ndependencies = [\"aiohttp\"]\n[project.scripts]\nx = \"x.web:main\"\n",
        )]),
        look(&[("server.jar", "PK")]),
        look(&[("index.html", "<p>"), ("css/site.css", "")]),
        look(&[
            ("pyvenv.cfg", "home = /usr/bin\n"),
            ("bin/radicale", command),
            ("lib/python3.11/site-packages/radicale/__init__.py", ""),
        ]),
        look(&[
            ("pyvenv.cfg", "home = /usr/bin\n"),
            ("bin/black", &command.replace("radicale", "black")),
            ("lib/python3.11/site-packages/x.py", ""),
        ]),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}
