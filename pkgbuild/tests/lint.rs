//! The lint: each rule finds what it is for, and what is allowed is said with its reason.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod workshop;

use workshop::{CONTENT, Workshop, tool};

const FILE: &str = "notes-1.0.0-any.copkg";

/// A workshop with a tree that one part of the recipe packs.
fn with_tree(rest: &str) -> Workshop {
    let workshop = Workshop::new();
    workshop.write("package.toml", CONTENT.replace("notes.txt", "tree") + rest);
    workshop.write("tree/ordinary", "x");
    workshop
}

#[test]
fn a_clean_tree_has_no_findings() {
    assert_eq!(with_tree("").works(&["lint"]).out, "nothing found\n");
}

#[test]
fn set_uid_bits_and_world_writable_files_are_errors() {
    let workshop = with_tree("");
    workshop.program("tree/su", "#!/bin/sh\n");
    workshop.mode("tree/su", 0o4755);
    workshop.mode("tree/ordinary", 0o666);
    let said = workshop.run(&["lint"]);
    insta::assert_snapshot!(format!("{}---\n{}", said.out, said.err));
    assert_eq!(said.code, 1);
    let output = workshop.command(&["lint", "--json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["errors"], &document["error"]["code"]), (&2.into(), &"lint_errors".into()));
    insta::assert_snapshot!("build_with_setuid", workshop.fails(&["build"]));
    assert!(!workshop.path(FILE).exists());
}

#[test]
fn what_is_allowed_is_said_with_its_reason() {
    let allow = "\n[lint]\nallow = [\n  { rule = \"setuid\", path = \"tree/su\", reason = \"The bit has no meaning here.\" },\n  { rule = \"build-prefix\", reason = \"Long gone.\" },\n]\n";
    let workshop = with_tree(allow);
    workshop.program("tree/su", "#!/bin/sh\n");
    workshop.mode("tree/su", 0o4755);
    let said = workshop.works(&["build"]);
    insta::assert_snapshot!(said.err);
    assert_eq!(workshop.works(&["lint", FILE]).out, "nothing found\n");
}

#[test]
fn a_rule_that_does_not_exist_cannot_be_allowed() {
    let workshop = with_tree("\n[lint]\nallow = [{ rule = \"set-uid\", reason = \"x\" }]\n");
    insta::assert_snapshot!(workshop.fails(&["build"]));
}

#[test]
fn the_build_directory_in_a_file_is_found() {
    let build = "\n[build]\nbuild = '''\nhead -c 700000 /dev/zero >tree/large\npwd >>tree/large\necho fine >tree/small\n'''\n";
    let workshop = with_tree(build);
    let said = workshop.run(&["lint"]);
    assert!(
        said.out.starts_with("error[build-prefix] tree/large: it holds the path of the build directory"),
        "{said:?}"
    );
    assert_eq!(said.out.lines().count(), 1);
}

#[test]
fn a_link_to_nothing_is_a_warning() {
    let workshop = with_tree("");
    std::os::unix::fs::symlink("nothing", workshop.path("tree/link")).unwrap();
    insta::assert_snapshot!(workshop.works(&["lint"]).out);
}

#[test]
fn a_secret_key_in_the_package_is_an_error() {
    let workshop = with_tree("");
    workshop.works(&["keygen", "tree/team"]);
    insta::assert_snapshot!(workshop.run(&["lint"]).out);
}

#[test]
fn a_build_says_all_that_there_is_to_find_and_leaves_nothing() {
    let workshop = with_tree("");
    for name in ["first", "last"] {
        workshop.works(&["keygen", &format!("tree/{name}")]);
    }
    // So short that one reading does not tell.
    workshop.write("tree/middle", "-----");
    insta::assert_snapshot!("build_with_secret_keys", workshop.fails(&["build"]));
    assert!(!workshop.path(FILE).exists());
}

#[test]
fn what_is_found_while_packing_can_be_allowed() {
    let allow = "\n[lint]\nallow = [\n  { rule = \"secret-key\", path = \"tree/test.key\", reason = \"It signs nothing.\" },\n  { rule = \"missing-library\", reason = \"Long gone.\" },\n]\n";
    let workshop = with_tree(allow);
    workshop.works(&["keygen", "tree/test"]);
    insta::assert_snapshot!(workshop.works(&["build"]).err);
    assert!(workshop.works(&["inspect", FILE, "--files"]).out.contains("tree/test.key"));
}

#[test]
fn a_service_without_scripts_is_an_error() {
    let workshop = with_tree("");
    workshop.write("package.toml", CONTENT.replace("notes.txt", "tree").replace("kind = \"content\"\n", ""));
    insta::assert_snapshot!(workshop.run(&["lint"]).out);
    workshop.write("tree/x", "x");
    let own = "\n[[contents]]\nsrc = \"script.d\"\n";
    let recipe = CONTENT.replace("notes.txt", "tree").replace("kind = \"content\"\n", "") + own;
    workshop.write("package.toml", recipe.clone());
    workshop.write("script.d/start.py", "#!/usr/bin/env python3\n");
    workshop.write("script.d/stop.py", "#!/usr/bin/env python3\n");
    assert_eq!(workshop.works(&["lint"]).out, "nothing found\n");
    // Not executable in the source, executable in the package.
    workshop.works(&["build"]);
    let files = workshop.works(&["inspect", FILE, "--files"]).out;
    assert!(files.contains("0755           23 script.d/start.py"), "{files}");
    workshop.write("package.toml", recipe + "[service]\nexec = \"bin/x\"\n");
    insta::assert_snapshot!("exec_and_scripts", workshop.fails(&["build"]));
}

#[test]
fn a_library_that_nobody_has_is_an_error() {
    let workshop = native("");
    workshop.write("strange.c", "int strange(void) { return 1; }\n");
    workshop.write("main.c", "int strange(void);\nint main(void) { return strange(); }\n");
    let cc = |arguments: &[&str]| tool(&workshop.path(""), "cc", arguments);
    cc(&["-shared", "-fPIC", "-Wl,-soname,libstrange.so.1", "-o", "libstrange.so.1", "strange.c"]);
    cc(&["-o", "tree/main", "main.c", "libstrange.so.1"]);
    let said = workshop.run(&["lint"]);
    insta::assert_snapshot!(said.out);
    assert_eq!(said.code, 1);
    std::fs::copy(workshop.path("libstrange.so.1"), workshop.path("tree/libstrange.so.1")).unwrap();
    // It is there, and the loader does not look there.
    let said = workshop.works(&["lint"]);
    insta::assert_snapshot!("a_library_beside_the_program", said.out);
    cc(&["-o", "tree/main", "-Wl,-rpath,$ORIGIN", "main.c", "libstrange.so.1"]);
    assert_eq!(workshop.works(&["lint"]).out, "nothing found\n");
}

/// A workshop whose package is for the platform of this machine.
fn native(rest: &str) -> Workshop {
    let workshop = with_tree("");
    let platform = format!("platforms = [\"{}\"]\nkind", copkg_spec::platform::Platform::host());
    let recipe = CONTENT.replace("notes.txt", "tree").replace("kind", &platform);
    workshop.write("package.toml", recipe + rest);
    workshop
}

#[test]
fn a_library_that_the_command_line_has_the_loader_find_is_no_finding() {
    let workshop = native("");
    workshop.write("strange.c", "int strange(void) { return 1; }\n");
    workshop.write("main.c", "int strange(void);\nint main(void) { return strange(); }\n");
    let cc = |arguments: &[&str]| tool(&workshop.path(""), "cc", arguments);
    std::fs::create_dir(workshop.path("tree/lib")).unwrap();
    cc(&["-shared", "-fPIC", "-Wl,-soname,libstrange.so.1", "-o", "tree/lib/libstrange.so.1", "strange.c"]);
    cc(&["-o", "tree/main", "main.c", "tree/lib/libstrange.so.1"]);
    let recipe =
        std::fs::read_to_string(workshop.path("package.toml")).unwrap().replace("kind = \"content\"\n", "");
    let with = |exec: &str| {
        workshop.write("package.toml", format!("{recipe}\n[service]\nexec = \"{exec}\"\n"));
        workshop.run(&["lint"])
    };
    let said = with("tree/main");
    insta::assert_snapshot!(said.out);
    assert_eq!(said.code, 1);
    assert_eq!(with("LD_LIBRARY_PATH=$SOFTWARE_DIR/tree/lib tree/main").out, "nothing found\n");
    assert!(with("LD_LIBRARY_PATH=$SOFTWARE_DIR/lib tree/main").out.contains("[unfound-library]"));
}

#[test]
fn machine_code_in_a_package_for_any_platform_is_an_error() {
    let workshop = with_tree("");
    workshop.write("main.c", "int main(void) { return 0; }\n");
    tool(&workshop.path(""), "cc", &["-o", "tree/main", "main.c"]);
    let said = workshop.run(&["lint"]);
    insta::assert_snapshot!(said.out.replace(std::env::consts::ARCH, "ARCH"));
    assert_eq!(said.code, 1);
    let failed = workshop.fails(&["build"]);
    assert!(failed.contains("error[native-code] tree/main"), "{failed}");
    // What is not linked yet is data.
    tool(&workshop.path(""), "cc", &["-c", "-o", "tree/main", "main.c"]);
    assert_eq!(workshop.works(&["lint"]).out, "nothing found\n");
}

#[test]
fn files_that_only_some_may_read_are_errors_that_name_templates_and_secrets() {
    let workshop = with_tree("");
    workshop.write("tree/database.conf", "password = hunter2\n");
    workshop.write("tree/group.conf", "x");
    workshop.mode("tree/database.conf", 0o600);
    workshop.mode("tree/group.conf", 0o640);
    let said = workshop.run(&["lint"]);
    insta::assert_snapshot!(said.out);
    assert_eq!(said.code, 1);
    // The same when scripts run in a copy of the source.
    let recipe = std::fs::read_to_string(workshop.path("package.toml")).unwrap();
    workshop.write("package.toml", format!("{recipe}\n[build]\nbuild = 'true'\n"));
    assert_eq!(workshop.run(&["lint"]).out, said.out);
    // A mode that the recipe states is meant.
    workshop.write("package.toml", recipe.replace("src = \"tree\"", "src = \"tree\"\nmode = \"0644\""));
    assert_eq!(workshop.works(&["lint"]).out, "nothing found\n");
    // Where everything is closed, the umask did it.
    workshop.write("package.toml", recipe);
    workshop.mode("tree/ordinary", 0o600);
    workshop.mode("tree", 0o700);
    assert_eq!(workshop.works(&["lint"]).out, "nothing found\n");
}

#[test]
fn a_command_line_that_names_what_is_not_there_is_an_error() {
    let workshop = with_tree("");
    workshop.write("tree/plain", "x");
    let recipe = CONTENT.replace("notes.txt", "tree").replace("kind = \"content\"\n", "");
    let with = |exec: &str| {
        workshop.write("package.toml", format!("{recipe}\n[service]\nexec = \"{exec}\"\n"));
        let said = workshop.run(&["lint"]);
        format!("# {exec}\n{}", said.out)
    };
    let all = [
        with("bin/ordinary"),
        with("tree/plain"),
        with("tree/"),
        with("java -cp $SOFTWARE_DIR/lib:$SOFTWARE_DIR/tree/plain Main"),
        with("'$SOFTWARE_DIR/tree/plain'"),
        with("node $SOFTWARE_DIR/server.js --data $RUNTIME_DIR/data"),
        with("node $SOFTWARE_DIR/tree/plain --root=$SOFTWARE_DIR"),
    ];
    insta::assert_snapshot!(all.concat());
}

#[test]
fn scripts_that_no_host_can_start_are_errors() {
    let workshop = with_tree("");
    workshop.program("tree/venv/bin/flask", "#!/home/me/venv/bin/python3\nimport sys\n");
    workshop.program("tree/windows", "#!/bin/sh\r\necho hi\r\n");
    workshop.program("tree/fine", "#!/usr/bin/env python3\n");
    // What is not executable is read by a program that is.
    workshop.write("tree/module.py", "#!/usr/local/python/bin/python\n");
    let said = workshop.run(&["lint"]);
    insta::assert_snapshot!(said.out);
    assert_eq!(said.code, 1);
    let failed = workshop.fails(&["build"]);
    assert!(failed.contains("the lint found 2 errors"), "{failed}");
}

#[test]
fn a_pointer_of_git_lfs_is_an_error() {
    let workshop = with_tree("");
    workshop
        .write("tree/model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
    let said = workshop.run(&["lint"]);
    assert!(said.out.contains("error[lfs-pointer] tree/model.bin"), "{said:?}");
    assert_eq!(said.code, 1);
}
