//! A Rust crate with a program, as `Cargo.toml` describes it.

use super::Tree;
use super::template::{Draft, Launch, Output};

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    let manifest = tree.table("Cargo.toml")?;
    let package = manifest.get("package")?.as_table()?;
    let text = |key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let name = text("name")?;
    let program = program(tree, &manifest, &name)?;
    let locked = if tree.has("Cargo.lock") { " --locked" } else { "" };
    let build = format!(
        r#"[build]
# Cargo is wherever whoever builds has it, and fetches crates from the network. Without network: `cargo vendor`.
inherit_env = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME"]
network = true
timeout = "1h"
build = '''
CARGO_HOME="${{CARGO_HOME:-$HOME/.cargo}}"
[ -w "$CARGO_HOME" ] || CARGO_HOME="$TMPDIR/cargo"
export CARGO_HOME
# The program must not name the directory in which it was built.
export RUSTFLAGS="--remap-path-prefix=$COPKG_SOURCE=. --remap-path-prefix=$CARGO_HOME=cargo"
cargo build --release{locked} --bin {program} --target-dir target
'''
install = '''
mkdir -p "$COPKG_DESTDIR/bin"
cp target/release/{program} "$COPKG_DESTDIR/bin/"
'''"#
    );
    Some(Draft {
        version: text("version"),
        description: text("description"),
        license: text("license"),
        homepage: text("homepage").or_else(|| text("repository")),
        output: Output::Native,
        excludes: vec!["target"],
        build: Some(build),
        contents: None,
        notes: vec![format!(
            "its program is {program}; one that ends by itself is no service: kind = \"content\""
        )],
        launch: Launch::Exec(format!("bin/{program}")),
        name: Some(name),
    })
}

/// Returns the first program of the crate; a library has none.
fn program(tree: &Tree, manifest: &toml::Table, name: &str) -> Option<String> {
    let named = manifest
        .get("bin")
        .and_then(toml::Value::as_array)
        .and_then(|bins| bins.first()?.get("name")?.as_str());
    let is_plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let by_default = || tree.directory.join("src/main.rs").is_file().then_some(name);
    named.or_else(by_default).filter(is_plain).map(str::to_owned)
}
