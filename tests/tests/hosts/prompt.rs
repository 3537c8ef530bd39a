//! The question before a rebuild, in a real pseudo-terminal: Enter confirms, Ctrl-C cancels, and without a terminal nothing is done.

use std::fs;
use std::process::Command;

use copkg_tests::execution::Execution;

use crate::Outcome;
use crate::world::{World, contents};

/// Runs a command in a pseudo-terminal, types `keys` when it asks, and exits as the command does.
const TERMINAL: &str = r#"
import os, pty, sys
keys, words = sys.argv[1].encode().decode("unicode_escape").encode(), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(words[0], words)
said = b""
typed = False
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    said += data
    if b"Hit Enter to confirm" in said and not typed:
        typed = True
        os.write(terminal, keys)
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

fn at_a_terminal(world: &World, keys: &str) -> Result<Execution, Box<dyn std::error::Error>> {
    let bare = world.path("bare");
    let words: Vec<String> =
        world.rebuild_words(&bare).into_iter().filter(|word| word != "--yes" && word != "--json").collect();
    let mut command = Command::new("python3");
    command
        .args(["-c", TERMINAL, keys])
        .arg(world.scene.programs().path("pkginstall"))
        .arg("host")
        .args(words);
    world.scene.at_home(&mut command);
    Ok(world.scene.run(&mut command)?)
}

#[test]
fn ctrl_c_cancels_with_success_and_enter_confirms() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    for keys in ["\\x03", "no\\n"] {
        let cancelled = at_a_terminal(&world, keys)?.success()?;
        assert!(cancelled.out.contains("nothing was changed"), "{cancelled}");
        assert_eq!(fs::read_dir(&bare)?.count(), 0);
    }
    let confirmed = at_a_terminal(&world, "\\n")?.success()?;
    for said in ["store     ", "host      web1", &world.key, "snapshot  1 of ", "replaces  0 files"] {
        assert!(confirmed.out.contains(said), "{said}: {confirmed}");
    }
    assert_eq!(contents(&bare.join("srv")), contents(&world.root().join("srv")));
    Ok(())
}

#[test]
fn without_a_terminal_nothing_is_rebuilt_unasked() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    let words: Vec<String> = world.rebuild_words(&bare).into_iter().filter(|word| word != "--yes").collect();
    let refused = world.host(words)?.expect_code(2)?;
    assert_eq!(refused.json()?["error"]["code"], "rebuild_unconfirmed");
    assert_eq!(fs::read_dir(&bare)?.count(), 0);
    Ok(())
}
