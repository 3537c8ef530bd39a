#!/usr/bin/env python3
"""Builds the packages of the shop.

    ./build.py OUT [--key FILE] [--version PART=VERSION …] [--only PART …]

The parts are redis, front, web and worker. `pkgbuild` is found in PATH, or named by $PKGBUILD. With --version a part gets
another version, to upgrade from one to the other.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FROM_DEBIAN = ("redis", "front")
PARTS = (*FROM_DEBIAN, "web", "worker")


def source_of(part, scratch, version):
    """Returns the directory that the part is built from: a copy, so that its recipe can say another version."""
    source = scratch / "packages" / part
    if part in FROM_DEBIAN:
        given = ["--version", version] if version else []
        subprocess.run([HERE.parent / "debian.py", f"shop/packages/{part}", source, *given], check=True,
                       stdout=subprocess.DEVNULL)
        return source
    shutil.copytree(HERE / "packages" / part, source)
    shutil.copytree(HERE / "app", scratch / "app", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if version:
        recipe = source / "package.toml"
        text = re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', recipe.read_text(), count=1)
        recipe.write_text(text)
    return source


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="where the packages go")
    parser.add_argument("--key", type=pathlib.Path, help="the key that signs them")
    parser.add_argument("--version", action="append", default=[], metavar="PART=VERSION")
    parser.add_argument("--only", action="append", choices=PARTS, help="build this part alone")
    arguments = parser.parse_args()
    versions = dict(pair.split("=", 1) for pair in arguments.version)
    key = ["--key", arguments.key.resolve()] if arguments.key else []
    with tempfile.TemporaryDirectory() as scratch:
        for part in arguments.only or PARTS:
            source = source_of(part, pathlib.Path(scratch), versions.get(part))
            command = [os.environ.get("PKGBUILD", "pkgbuild"), "build", source, "--out", arguments.out.resolve(), *key]
            done = subprocess.run([*command, "--source-date", "1700000000"], check=False)
            if done.returncode != 0:
                sys.exit(done.returncode)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {error.cmd[0]} failed with {error.returncode}")
