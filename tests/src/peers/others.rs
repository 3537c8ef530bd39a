//! The others: what Debian has for unpacking and installing, each with the same tree and, where it compresses, at the same level.
//!
//! A peer is left out, with the reason, where its program is not there or does not do its work on this machine.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::contest::{Contestant, Durable};
use super::corpus::Corpus;
use super::floor::{Durability, Tree};
use super::ours::LEVEL;
use super::{Result, have, run};

/// Who takes part, and who does not.
#[derive(Default)]
pub struct Peers<'c> {
    /// Those that take part.
    pub contestants: Vec<Contestant<'c>>,
    /// Why others do not.
    pub absent: Vec<String>,
}

/// Makes a package of each kind of a corpus below `work`.
///
/// # Errors
/// Never: a peer that fails is absent.
pub fn peers<'c>(corpus: &'c Corpus, work: &Path) -> Peers<'c> {
    let mut peers = Peers::default();
    peers.join(&["tar", "zstd"], || tar(corpus, work));
    peers.join(&["dpkg", "dpkg-deb"], || dpkg(corpus, work));
    peers.join(&["pacman", "tar", "zstd"], || pacman(corpus, work));
    peers.join(&["ostree"], || ostree(corpus, work, Durable::Yes));
    peers.join(&["ostree"], || ostree(corpus, work, Durable::No));
    peers.join(&["casync"], || casync(corpus, work));
    peers.join(&["zck", "unzck", "tar"], || zchunk(corpus, work));
    peers.join(&["nix", "nix-store"], || nix(corpus, work));
    peers
}

impl<'c> Peers<'c> {
    fn join(&mut self, programs: &[&str], make: impl FnOnce() -> Result<Contestant<'c>>) {
        if let Some(missing) = programs.iter().find(|program| !have(program)) {
            self.absent.push(format!("{}: {missing} is not installed", programs[0]));
            return;
        }
        match make() {
            Ok(contestant) => self.contestants.push(contestant),
            Err(error) => self.absent.push(format!("{}: {error}", programs[0])),
        }
    }
}

/// Returns the floor for a corpus, durable and not.
///
/// # Errors
/// When the tree cannot be read.
pub fn floor(corpus: &Corpus) -> Result<Vec<Contestant<'static>>> {
    let tree = std::sync::Arc::new(Tree::read(&corpus.tree)?);
    let threads = std::num::NonZeroUsize::MIN.saturating_add(1);
    let of = |name, durable, durability| {
        let tree = std::sync::Arc::clone(&tree);
        let install = move |image: &Path| Ok(tree.write(&image.join("out"), threads, durability)?);
        Contestant { name, durable, prepare: directories(&["out"]), install: Box::new(install) }
    };
    Ok(vec![
        of("floor, durable", Durable::Yes, Durability::Synced),
        of("floor", Durable::No, Durability::Left),
    ])
}

fn directories(names: &'static [&'static str]) -> super::contest::Prepare<'static> {
    Box::new(move |image: &Path| {
        names.iter().try_for_each(|name| fs::create_dir_all(image.join(name))).map_err(Into::into)
    })
}

/// Makes a tar of a tree through zstd, with what stands in `before` in front.
fn zstd_tar(tree: &Path, before: &[(&Path, &str)], to: &Path) -> Result<()> {
    let mut command = Command::new("tar");
    command
        .args(["--sort=name", "--owner=0", "--group=0", "-I", &format!("zstd -{LEVEL} -T0"), "-cf"])
        .arg(to);
    for (directory, name) in before {
        command.arg("-C").arg(directory).arg(name);
    }
    // By name and not as `.`: pacman takes what begins with a dot for something of its own.
    run(command.arg("-C").arg(tree).args(names(tree)?)).map(drop)
}

fn names(directory: &Path) -> Result<Vec<OsString>> {
    let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>();
    let mut names = names?;
    names.sort();
    Ok(names)
}

fn tar(corpus: &Corpus, work: &Path) -> Result<Contestant<'static>> {
    let file = work.join("tree.tar.zst");
    zstd_tar(&corpus.tree, &[], &file)?;
    let install = move |image: &Path| -> Result<Duration> {
        run(Command::new("tar").args(["--zstd", "-xf"]).arg(&file).arg("-C").arg(image.join("out")))
    };
    let prepare = directories(&["out"]);
    Ok(Contestant { name: "tar --zstd", durable: Durable::No, prepare, install: Box::new(install) })
}

fn dpkg(corpus: &Corpus, work: &Path) -> Result<Contestant<'static>> {
    let (tree, file) = (work.join("deb"), work.join("tree.deb"));
    fs::create_dir_all(tree.join("DEBIAN"))?;
    let control = "Package: bench\nVersion: 1\nArchitecture: all\nMaintainer: bench <bench@example.com>\n\
                   Description: a tree\n";
    fs::write(tree.join("DEBIAN/control"), control)?;
    // Links, where the file system has them: nothing is copied to make the package.
    run(Command::new("cp").args(["-a", "--link"]).arg(&corpus.tree).arg(tree.join("out")))
        .or_else(|_| run(Command::new("cp").arg("-a").arg(&corpus.tree).arg(tree.join("out"))))?;
    let level = format!("-z{LEVEL}");
    run(Command::new("dpkg-deb").args(["--root-owner-group", "-Zzstd", &level, "-b"]).arg(&tree).arg(&file))?;
    let install = move |image: &Path| -> Result<Duration> {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", image.display())).args([
            "--log=/dev/null",
            "--force-bad-path",
            "-i",
        ]);
        run(command.arg(&file))
    };
    let prepare = Box::new(|image: &Path| -> Result<()> {
        let state = image.join("var/lib/dpkg");
        for name in ["info", "updates", "triggers"] {
            fs::create_dir_all(state.join(name))?;
        }
        Ok(fs::write(state.join("status"), "")?)
    });
    Ok(Contestant { name: "dpkg -i", durable: Durable::Yes, prepare, install: Box::new(install) })
}

fn pacman(corpus: &Corpus, work: &Path) -> Result<Contestant<'static>> {
    let (file, config) = (work.join("bench-1-1-any.pkg.tar.zst"), work.join("pacman.conf"));
    let size = corpus.size.bytes;
    let info = format!(
        "pkgname = bench\npkgbase = bench\npkgver = 1-1\npkgdesc = a tree\nbuilddate = 1\npackager = bench\nsize = {size}\narch = any\n"
    );
    let about = work.join("about");
    fs::create_dir_all(&about)?;
    fs::write(about.join(".PKGINFO"), info)?;
    zstd_tar(&corpus.tree, &[(&about, ".PKGINFO")], &file)?;
    fs::write(&config, "[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n")?;
    let install = move |image: &Path| -> Result<Duration> {
        let mut command = Command::new("pacman");
        command.args(["-U", "--noconfirm", "--noscriptlet", "--noprogressbar", "--config"]).arg(&config);
        for (option, place) in
            [("--root", ""), ("--dbpath", "db"), ("--cachedir", "cache"), ("--hookdir", "db")]
        {
            command.arg(option).arg(image.join(place));
        }
        run(command.args(["--logfile", "/dev/null"]).arg(&file))
    };
    let prepare = directories(&["db", "cache"]);
    Ok(Contestant { name: "pacman -U", durable: Durable::No, prepare, install: Box::new(install) })
}

fn ostree(corpus: &Corpus, work: &Path, durable: Durable) -> Result<Contestant<'static>> {
    let store = work.join("ostree");
    let ostree = |repo: &Path| {
        let mut command = Command::new("ostree");
        command.arg(format!("--repo={}", repo.display()));
        command
    };
    if !store.exists() {
        run(ostree(&store).args(["init", "--mode=archive"]))?;
        let tree = format!("--tree=dir={}", corpus.tree.display());
        run(ostree(&store).args(["commit", "--branch=main", "--owner-uid=0", "--owner-gid=0", &tree]))?;
    }
    let (quick, unsynced): (&[&str], &[&str]) = match durable {
        Durable::Yes => (&[], &[]),
        Durable::No => (&["--disable-fsync"], &["--fsync=false"]),
    };
    let install = move |image: &Path| -> Result<Duration> {
        let repo = image.join("repo");
        let made = run(ostree(&repo).args(["init", "--mode=bare"]))?;
        let pulled = run(ostree(&repo).arg("pull-local").args(quick).arg(&store).arg("main"))?;
        let mut checkout = ostree(&repo);
        // Files of the repository are linked, which needs no fsync of its own.
        checkout.arg("checkout").args(unsynced).arg("main").arg(image.join("out"));
        Ok(made + pulled + run(&mut checkout)?)
    };
    let name = if durable == Durable::Yes { "ostree pull + checkout" } else { "ostree without fsync" };
    Ok(Contestant { name, durable, prepare: directories(&[]), install: Box::new(install) })
}

fn casync(corpus: &Corpus, work: &Path) -> Result<Contestant<'static>> {
    let (store, index) = (work.join("casync.castr"), work.join("tree.caidx"));
    run(&mut casync_make(&store, &index, &corpus.tree))?;
    let install = move |image: &Path| -> Result<Duration> {
        let mut command = Command::new("casync");
        command.arg(format!("--store={}", store.display())).args(["--without=privileged", "extract"]);
        run(command.arg(&index).arg(image.join("out")))
    };
    let prepare = directories(&["out"]);
    Ok(Contestant { name: "casync extract", durable: Durable::No, prepare, install: Box::new(install) })
}

/// Returns the command that puts a tree into a store of chunks of the default size.
pub fn casync_make(store: &Path, index: &Path, tree: &Path) -> Command {
    let mut command = Command::new("casync");
    command.arg(format!("--store={}", store.display())).args(["--without=privileged", "make"]);
    command.arg(index).arg(tree);
    command
}

fn zchunk(corpus: &Corpus, work: &Path) -> Result<Contestant<'static>> {
    let file = zchunk_make(&corpus.tree, &work.join("tree"))?;
    let install = move |image: &Path| -> Result<Duration> {
        let pipe = "unzck --stdout \"$1\" | tar -x -C \"$2\"";
        run(Command::new("sh").args(["-ec", pipe, "sh"]).arg(&file).arg(image.join("out")))
    };
    let prepare = directories(&["out"]);
    Ok(Contestant { name: "unzck | tar", durable: Durable::No, prepare, install: Box::new(install) })
}

/// Makes `<stem>.zck` of a tree, by way of a tar.
///
/// # Errors
/// When a program fails.
pub fn zchunk_make(tree: &Path, stem: &Path) -> Result<PathBuf> {
    let (tar, file) = (stem.with_extension("tar"), stem.with_extension("zck"));
    let mut command = Command::new("tar");
    command.args(["--sort=name", "--owner=0", "--group=0", "-cf"]).arg(&tar);
    run(command.arg("-C").arg(tree).arg("."))?;
    run(Command::new("zck").arg("-o").arg(&file).arg(&tar))?;
    fs::remove_file(tar)?;
    Ok(file)
}

fn nix(corpus: &Corpus, work: &Path) -> Result<Contestant<'static>> {
    let (store, cache) = (work.join("nix"), work.join("nix-cache"));
    let nix = || {
        let mut command = Command::new("nix");
        command.args(["--extra-experimental-features", "nix-command", "--option", "substituters", ""]);
        command
    };
    let store = format!("local?root={}", store.display());
    let added = super::output(
        nix().args(["store", "add-path", "--store", &store, "--name", "bench"]).arg(&corpus.tree),
    )?;
    let path = added.trim().to_owned();
    let from = format!("file://{}?compression=zstd", cache.display());
    run(nix().args(["copy", "--from", &store, "--to", &from, &path]))?;
    let install = move |image: &Path| -> Result<Duration> {
        let to = format!("local?root={}", image.join("nix").display());
        run(nix().args(["copy", "--no-check-sigs", "--from", &from, "--to", &to, &path]))
    };
    Ok(Contestant {
        name: "nix copy",
        durable: Durable::No,
        prepare: directories(&[]),
        install: Box::new(install),
    })
}
