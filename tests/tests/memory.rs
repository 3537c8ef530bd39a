//! Memory: a build and an install of something large stay within what README.md says.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;

use copkg_tests::programs::project;
use copkg_tests::scene::{GROUP, Scene, only_file};

type Outcome = Result<(), Box<dyn Error>>;

/// The promise is 64 MiB and 8 MiB for each thread; a program of the development profile is itself some MiB larger. In KiB.
fn limit() -> u64 {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    (64 + 8 * threads as u64 + 16) << 10
}

/// What source, package and installation take together, twice.
const ROOM: u64 = 6 << 30;

#[test]
fn sixty_five_thousand_files_are_built_and_installed_in_little_memory() -> Outcome {
    let scene = Scene::with_room(ROOM)?;
    let tree = scene.path().join("many");
    for number in 0..65_000 {
        let directory = tree.join(format!("files/node_modules/{:03}/{}", number % 500, number % 7));
        if number < 3500 {
            fs::create_dir_all(&directory)?;
        }
        fs::write(
            directory.join(format!("{number}.js")),
            format!("module.exports = {number};\n").repeat(1 + number % 40),
        )?;
    }
    build_and_install(&scene, &tree, "many")
}

#[test]
fn a_file_of_a_gibibyte_is_built_and_installed_in_little_memory() -> Outcome {
    let scene = Scene::with_room(ROOM)?;
    let tree = scene.path().join("large");
    fs::create_dir_all(tree.join("files"))?;
    let mut file = File::create(tree.join("files/image"))?;
    // Holes between pieces that do not compress: quick to make, and every frame has something in it.
    let noise: Vec<u8> =
        (0..256 << 10_u32).map(|n: u32| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    for mebibyte in 0..1024 {
        file.seek(SeekFrom::Start(mebibyte << 20))?;
        file.write_all(&noise[usize::try_from(mebibyte)?..])?;
    }
    file.set_len(1 << 30)?;
    drop(file);
    build_and_install(&scene, &tree, "large")
}

fn build_and_install(scene: &Scene, tree: &Path, id: &str) -> Outcome {
    let recipe = format!(
        "[package]\ngroup = \"{GROUP}\"\nid = \"{id}\"\nversion = \"1\"\nkind = \"content\"\n\n\
         [[contents]]\nsrc = \"files\"\ndst = \".\"\ntype = \"tree\"\n"
    );
    fs::write(tree.join("package.toml"), recipe)?;
    let tree = tree.to_string_lossy();
    let built = peak(scene, "pkgbuild", &["build", &tree, "--key", "publisher.key", "--out", "packages"])?;
    let file = only_file(&scene.path().join("packages"))?;
    scene.trust()?;
    let installed = peak(scene, "pkginstall", &["install", &file.to_string_lossy()])?;
    let _ =
        writeln!(io::stderr(), "memory for {id}: build {} MiB, install {} MiB", built >> 10, installed >> 10);
    assert!(built < limit() && installed < limit(), "build {built} KiB, install {installed} KiB");
    Ok(())
}

/// Runs one of the programs and returns its peak in KiB.
fn peak(scene: &Scene, program: &str, arguments: &[&str]) -> Result<u64, Box<dyn Error>> {
    let note = scene.path().join(format!("{program}.peak"));
    let mut command = Command::new("python3");
    command.arg(project().join("tests/faults/peak.py")).arg(&note);
    command.arg(scene.programs().path(program)).args(arguments);
    scene.at_home(&mut command);
    scene.run(&mut command)?.success()?;
    Ok(fs::read_to_string(note)?.trim().parse()?)
}
