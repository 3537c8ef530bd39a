#!/usr/bin/env python3
"""Packages real software: Debian service packages, npm applications, virtual environments.

Each tree is fetched from its registry, gets its recipe from `pkgbuild init`, and is built. What the build refuses, it must refuse
at once: the edits that its message asks for are made, and the second build must succeed. The table says which software needed
which edit.

    tests/trees/run.py [--reduced] [--seed N] [--only NAME…] [--table FILE] PKGBUILD

Exit code 0: every tree that could be fetched was built. A registry that cannot be reached is a skip that is said, and with
--reduced a few trees, chosen by the seed, stand for all.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

DEBIAN = """apache2-bin nginx lighttpd haproxy varnish squid redis-server memcached postgresql-15 mariadb-server-core slapd bind9
unbound knot dnsmasq-base openssh-server vsftpd proftpd-core postfix exim4-daemon-light dovecot-core opensmtpd rsyslog chrony
cups-daemon samba rabbitmq-server mosquitto prometheus prometheus-node-exporter tinyproxy privoxy tor stunnel4 pgbouncer
keepalived snmpd freeradius beanstalkd perl-modules-5.36""".split()
NPM = """http-server serve json-server live-server lite-server verdaccio statsd node-static ws-server local-web-server
mocks-server express-generator sirv-cli smee-client superstatic""".split()
VENV = [["flask", "gunicorn"], ["django"], ["radicale"], ["datasette"], ["mkdocs"], ["wsgidav", "cheroot"], ["pypiserver"],
        ["fastapi", "uvicorn"]]


class Unreachable(Exception):
    """The registry does not give it."""


def run(command, directory, **more):
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", timeout=900, **more)


def fetch(command, directory):
    try:
        done = run(command, directory)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(str(error)) from error
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).strip().splitlines()
        raise Unreachable(lines[-1] if lines else "no answer")


def debian(name, tree):
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        fetch(["apt-get", "-q", "download", name], place)
        for file in pathlib.Path(place).glob("*.deb"):
            fetch(["dpkg", "-x", str(file), str(tree)], place)


def npm(name, tree):
    manifest = {"name": f"app-{name}", "version": "1.0.0", "scripts": {"start": name}, "dependencies": {name: "*"}}
    (tree / "package.json").write_text(json.dumps(manifest))
    fetch(["npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"], tree)


def venv(names, tree):
    fetch([shutil.which("python3", path="/usr/bin") or sys.executable, "-m", "venv", str(tree)], tree)
    fetch([str(tree / "bin/pip"), "-q", "--disable-pip-version-check", "install", *names], tree)


def build(pkgbuild, tree, out):
    environment = dict(os.environ, SOURCE_DATE_EPOCH="1700000000", NO_COLOR="1")
    done = run([pkgbuild, "build", str(tree), "--out", str(out), "--no-cache", "--json"], tree, env=environment)
    if done.returncode == 0:
        return None
    try:
        return json.loads(done.stdout)["error"]
    except (ValueError, KeyError):
        return {"code": "?", "message": done.stderr.strip(), "causes": []}


def edits(error):
    """What the message asks for: paths to leave out, and findings of the lint."""
    text = error["message"] + "\n" + "\n".join(error.get("causes", []))
    one = re.findall(r'entry "(.*?)" is refused', text)
    left_out = one + re.findall(r'^    "(.*?)"', text, re.M)
    findings = re.findall(r"^  error\[([a-z-]+)\] ?([^:]*): (.*)$", text, re.M)
    return left_out, findings


def edit(tree, left_out, findings):
    path = tree / "package.toml"
    text, said = path.read_text(), []
    if left_out:
        names = ", ".join(json.dumps(name) for name in left_out)
        text = re.sub(r'excludes = \["package.toml"', f'excludes = ["package.toml", {names}', text, count=1)
        said.append(f"{len(left_out)} entries left out")
    rules = sorted({rule for rule, _, _ in findings})
    if "native-code" in rules:
        platform = re.search(r'platforms = \["(.*?)"\]', "".join(message for _, _, message in findings)).group(1)
        text = re.sub(r'^(version = .*)$', rf'\1\nplatforms = ["{platform}"]', text, count=1, flags=re.M)
        said.append("platforms")
    allowed = [rule for rule in rules if rule != "native-code"]
    if allowed:
        lines = ",\n".join(f'    {{ rule = "{rule}", reason = "tests/trees" }}' for rule in allowed)
        text += f"\n[lint]\nallow = [\n{lines},\n]\n"
        said.append("allowed: " + ", ".join(allowed))
    path.write_text(text)
    return said


def kinds(error):
    left_out, findings = edits(error)
    counts = {}
    text = error["message"]
    for count, rule in re.findall(r"^  (\d+): (.*)$", text, re.M):
        counts[rule] = int(count)
    if left_out and not counts:
        counts[re.sub(r".*is refused: ", "", text.splitlines()[0])] = 1
    for rule, _, _ in findings:
        counts[rule] = counts.get(rule, 0) + 1
    return ", ".join(f"{count} × {rule}" for rule, count in counts.items()) or error["message"].splitlines()[0]


def try_tree(pkgbuild, name, make):
    with tempfile.TemporaryDirectory(prefix="copkg-trees-", dir="/var/tmp") as place:
        tree, out = pathlib.Path(place) / "tree", pathlib.Path(place) / "out"
        tree.mkdir(mode=0o755)
        make(tree)
        done = run([pkgbuild, "init", str(tree), "--id", "software", "--json"], tree)
        if done.returncode != 0:
            return [name, "", done.stderr.strip(), "", "FAILED"]
        flavour = json.loads(done.stdout)["flavour"]
        refused, made = [], []
        for _ in range(3):
            error = build(pkgbuild, tree, out)
            if error is None:
                break
            refused.append(kinds(error))
            left_out, findings = edits(error)
            if not left_out and not findings:
                return [name, flavour, "; ".join(refused), "; ".join(made), "FAILED"]
            made += edit(tree, left_out, findings)
        else:
            return [name, flavour, "; ".join(refused), "; ".join(made), "FAILED"]
        # Entries come first, and what the lint says of the rest in the next build: two messages at most.
        outcome = "built at once" if not refused else f"built after {len(refused)} edit{'s' if len(refused) > 1 else ''}"
        return [name, flavour, "; ".join(refused), "; ".join(made), outcome]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pkgbuild")
    parser.add_argument("--reduced", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    pkgbuild = str(pathlib.Path(options.pkgbuild).resolve())
    trees = [(f"deb {name}", lambda tree, name=name: debian(name, tree)) for name in DEBIAN]
    trees += [(f"npm {name}", lambda tree, name=name: npm(name, tree)) for name in NPM]
    trees += [(f"venv {' '.join(names)}", lambda tree, names=names: venv(names, tree)) for names in VENV]
    if options.reduced:
        chance = random.Random(options.seed)
        kinds_of = lambda kind: [tree for tree in trees if tree[0].startswith(kind)]
        trees = chance.sample(kinds_of("deb"), 3) + chance.sample(kinds_of("npm"), 1) + chance.sample(kinds_of("venv"), 1)
    if options.only:
        trees = [tree for tree in trees if tree[0].split()[1] in options.only]
    rows, skipped = [], 0
    for name, make in trees:
        try:
            row = try_tree(pkgbuild, name, make)
        except Unreachable as why:
            print(f"skipped: {name}: {why}", file=sys.stderr, flush=True)
            skipped += 1
            continue
        rows.append(row)
        print(" | ".join(row), flush=True)
    failed = [row for row in rows if row[4] == "FAILED"]
    print(f"{len(rows)} built or tried, {len(failed)} failed, {skipped} skipped", file=sys.stderr)
    if options.table:
        lines = ["| Software | `init` took it for | Refused | Edits | Outcome |", "| --- | --- | --- | --- | --- |"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        options.table.write_text("\n".join(lines) + "\n")
    sys.exit(1 if failed else 0)


main()
