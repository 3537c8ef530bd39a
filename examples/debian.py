#!/usr/bin/env python3
"""Puts together the tree of an example whose software comes from Debian's binary packages.

    ./debian.py EXAMPLE DIRECTORY [--cache DIRECTORY] [--version VERSION]

The recipe names the packages in [vars] as `debian`, and libraries that it can do without as `without`. They are downloaded with the libraries that they depend on, except the C library, which is the host's,
and unpacked below `root/` of the tree. The recipe gets Debian's upstream version, or VERSION, to upgrade from one to the other.
Nothing is installed, nothing needs root, and nothing outside of the two directories is written.
"""

import argparse
import fcntl
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_CACHE = HERE.parent / "target" / "cache" / "debian"

# A second C library beside the host's would not fit its loader; maintainer scripts are not run, so nothing needs their interpreter.
UNUSED = {"libc6", "libperl5.36", "libperl5.40"}

# What is of use in a package that another depends on.
SHARED_LIBRARY = re.compile(r"\./(usr/)?lib/([^/]+-linux-gnu/)?lib[^/]*\.so[^/]*$")


def apt_configuration(cache: pathlib.Path) -> dict[str, str]:
    """Returns an environment in which apt knows no installed package, and keeps what it downloads in the cache."""
    state = cache / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    lists = pathlib.Path("/var/lib/apt/lists")
    if not list(lists.glob("*_Packages*")):
        lists = state / "lists"
    options = {
        "Dir::State::lists": lists,
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Debug::NoLocking": "1",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "",
    }
    (state / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in options.items()))
    environment = {**os.environ, "APT_CONFIG": str(state / "apt.conf"), "LC_ALL": "C.UTF-8"}
    if lists == state / "lists" and not list(lists.glob("*_Packages*")):
        run(["apt-get", "-qq", "update"], cache, environment)
    return environment


def run(command: list[str], directory: pathlib.Path, environment: dict[str, str] | None = None) -> str:
    """Runs a client and returns what it printed; what it said is shown only when it fails."""
    done = subprocess.run(command, cwd=directory, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])}: {((done.stderr or done.stdout).strip().splitlines() or ['failed'])[-1]}")
    return done.stdout


def download(packages: list[str], cache: pathlib.Path) -> list[pathlib.Path]:
    """Downloads packages and the libraries that they depend on; returns the files, the packages first."""
    environment = apt_configuration(cache)
    # What is in the cache is not in the plan, so it is made with an empty one.
    nothing = cache / "apt" / "nothing"
    (nothing / "partial").mkdir(parents=True, exist_ok=True)
    plan = run(["apt-get", "-qq", "-o", f"Dir::Cache::archives={nothing}", "--print-uris", "install", *packages], cache, environment)
    files = []
    for line in plan.splitlines():
        match = re.match(r"'(?P<uri>[^']+)' (?P<file>\S+) ", line)
        name = match["file"].split("_")[0] if match else ""
        if name and name not in UNUSED:
            files.append((name, match["file"]))
    archives = cache / "apt" / "archives"
    if any(not (archives / file).is_file() for _, file in files):
        run(["apt-get", "-qq", "--yes", "--download-only", "install", *packages], cache, environment)
    return [archives / file for name, file in sorted(files, key=lambda found: found[0] not in packages)]


def unpack(package: pathlib.Path, root: pathlib.Path, only: re.Pattern | None) -> None:
    """Unpacks a package file below `root`: all of it, or what the pattern matches."""
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        # Python 3.11 before 3.11.4, which is Debian 12's, knows no filters.
        files.extraction_filter = getattr(tarfile, "tar_filter", None)
        members = [member for member in files.getmembers() if only is None or only.match(member.name)]
        files.extractall(root, members)


def upstream_version(package: pathlib.Path) -> str:
    """Returns the version of a package file without Debian's epoch and revision."""
    version = run(["dpkg-deb", "--field", str(package), "Version"], package.parent).strip()
    return re.sub(r"^\d+:|-[^-]*$", "", version)


def assemble(example: pathlib.Path, tree: pathlib.Path, cache: pathlib.Path, version: str | None) -> str:
    """Writes the recipe, its own files and the software into `tree`; returns the version."""
    recipe = (example / "package.toml").read_text()
    variables = tomllib.loads(recipe)["vars"]
    packages, unused = variables["debian"].split(), variables.get("without", "").split()
    files = [file for file in download(packages, cache) if file.name.split("_")[0] not in unused]
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(example, tree)
    root = tree / "root"
    root.mkdir()
    for file in files:
        unpack(file, root, None if file.name.split("_")[0] in packages else SHARED_LIBRARY)
    for folder in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug", "lib/systemd", "var", "etc"):
        shutil.rmtree(root / folder, ignore_errors=True)
    version = version or upstream_version(next(file for file in files if file.name.split("_")[0] == packages[0]))
    (tree / "package.toml").write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', recipe, count=1))
    return version


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", help="a directory beside this file")
    parser.add_argument("directory", type=pathlib.Path, help="the tree to make; replaced if it is there")
    parser.add_argument("--cache", type=pathlib.Path, default=DEFAULT_CACHE, help="where downloads are kept")
    parser.add_argument("--version", help="the version that the recipe says")
    arguments = parser.parse_args()
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            sys.exit(f"error: {arguments.example} comes from Debian's packages, and {tool} is not on this machine")
    cache = arguments.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        lock = (cache / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)  # apt may write to its cache once at a time
        version = assemble(HERE / arguments.example, arguments.directory.resolve(), cache, arguments.version)
    except (OSError, RuntimeError, KeyError, subprocess.TimeoutExpired) as error:
        sys.exit(f"error: cannot put together {arguments.example}\n  cause: {error}")
    print(f"{arguments.example} {version} in {arguments.directory}")


if __name__ == "__main__":
    main()
