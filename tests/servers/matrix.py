#!/usr/bin/env python3
"""Installs, resumes, upgrades by ranges and by a patch, and mirrors from web servers that know nothing of copkg, and prints a table.

    cargo build --workspace --bins && tests/servers/matrix.py [--only NAME,NAME] [--programs DIR] [--docs FILE]

Each server is started on a free port of 127.0.0.1 with the files of `repo-server export`, and is stopped again. What is not installed
is left out, and said. `--docs` writes the table between the marks of that file. Debian: apt-get install nginx-light apache2 lighttpd
caddy busybox webfs ruby-webrick varnish squid; `serve` comes from npm.
"""

import argparse
import atexit
import contextlib
import filecmp
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVE = "serve@14.2.5"
MARKS = ("<!-- servers: made by tests/servers/matrix.py -->", "<!-- servers: end -->")
NO_CACHE = r'location ~ "(/timestamp\.json|\.root\.json|/tlog/checkpoint)$" { add_header Cache-Control no-cache always; }'


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port, process):
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}")
        time.sleep(0.05)
    raise RuntimeError("it does not listen")


class Proxy:
    """Passes requests on to one server after the other, counts what comes of packages, and may cut each of them once."""

    def __init__(self, ports):
        self.ports, self.turn = ports, 0
        self.count()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def count(self, cut=False):
        self.bytes, self.requests, self.cut, self.seen, self.paths = 0, 0, cut, set(), []

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65536)
                if not piece:
                    return
                head += piece
            path = head.split(b" ")[1]
            lines = [line for line in head.split(b"\r\n\r\n")[0].split(b"\r\n") if not line.lower().startswith(b"connection:")]
            self.turn += 1
            port = self.ports[self.turn % len(self.ports)]
            with socket.create_connection(("127.0.0.1", port)) as server:
                server.sendall(b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n")
                self.relay(server, client, path)

    def relay(self, server, client, path):
        is_package, answer, sent, limit = path.startswith(b"/targets/"), b"", 0, None
        while piece := server.recv(65536):
            if sent == 0 and b"\r\n\r\n" not in answer:
                answer += piece
                if b"\r\n\r\n" not in answer:
                    continue
                head, piece = answer.split(b"\r\n\r\n", 1)
                client.sendall(head + b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                self.requests += is_package
                self.paths.append(path)
                if is_package and self.cut and length and int(length[1]) > 200_000 and path not in self.seen:
                    self.seen.add(path)
                    limit = int(length[1]) * 6 // 10
                answer = b"\r\n\r\n"
            if limit is not None:
                piece = piece[: limit - sent]
            sent += len(piece)
            self.bytes += len(piece) * is_package
            client.sendall(piece)
            if limit is not None and sent >= limit:
                return


class Scene:
    """A repository with three versions of a package, exported to files; and the programs."""

    def __init__(self, programs, directory):
        self.programs, self.directory, self.number, self.also = programs, directory, 0, lambda: None
        self.random = random.Random(7)
        self.files = {f"data/{n}.bin": self.random.randbytes(400_000) for n in range(6)}
        self.environment = {"PATH": os.environ["PATH"], "HOME": directory, "XDG_STATE_HOME": f"{directory}/state"}
        self.found()
        self.publish("1.0.0")
        self.files["data/3.bin"] = self.random.randbytes(400_000)
        self.publish("1.1.0")
        changed = bytearray(self.files["data/4.bin"])
        changed[200_000:200_010] = b"0123456789"
        self.files["data/4.bin"] = bytes(changed)
        self.publish("1.2.0", "--patches", "1")
        self.export()

    def run(self, program, *words, ok=True, prefix=None):
        environment = self.environment | ({"COPKG_PREFIX": prefix} if prefix else {})
        command = [f"{self.programs}/{program}", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.directory, check=False)
        if ok and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def found(self):
        self.run("pkgbuild", "keygen", "publisher")
        store = f"file://{self.directory}/store"
        made = self.run("repo-server", "init", "--json", "--store", store, "--group", "com.example", "--key", "publisher.pub")
        self.root = json.loads(made.stdout)["fingerprint"]
        self.server = subprocess.Popen(
            [f"{self.programs}/repo-server", "serve", "--store", store, "--listen", "127.0.0.1:0", "--spool", self.directory],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self.environment)
        atexit.register(self.end)
        self.origin = self.server.stdout.readline().split()[-1]

    def publish(self, version, *more):
        tree = f"{self.directory}/tree"
        shutil.rmtree(tree, ignore_errors=True)
        os.makedirs(f"{tree}/data")
        for name, content in self.files.items():
            with open(f"{tree}/{name}", "wb") as file:
                file.write(content)
        with open(f"{tree}/package.toml", "w", encoding="utf-8") as file:
            file.write(f'[package]\ngroup = "com.example"\nid = "web"\nversion = "{version}"\nkind = "content"\n')
            file.write('[[contents]]\nsrc = "data"\ndst = "data"\n')
        self.run("pkgbuild", "build", tree, "--key", "publisher.key", "--out", f"packages-{version}")
        (name,) = os.listdir(f"{self.directory}/packages-{version}")
        file = f"packages-{version}/{name}"
        self.length = os.path.getsize(f"{self.directory}/{file}")
        self.run("pkgbuild", "publish", file, "--repo", self.origin, "--key", "publisher.key", "--root", self.root, *more)

    def export(self):
        self.run("repo-server", "export", f"{self.directory}/export", "--store", f"file://{self.directory}/store")
        self.also()

    def host(self, url):
        self.number += 1
        prefix = f"{self.directory}/host{self.number}"
        self.run("pkginstall", "repo", "add", "main", url, "--root", self.root, prefix=prefix)
        return prefix

    def install(self, prefix, version):
        done = self.run("pkginstall", "install", f"com.example:web:{version}", "--no-progress", prefix=prefix)
        self.run("pkginstall", "verify", f"com.example:web:{version}", prefix=prefix)
        return done.stderr

    def end(self):
        self.server.kill()
        self.server.wait()


def tried(what):
    """What came of it, or that it failed."""
    try:
        return what()
    except (RuntimeError, AssertionError) as error:
        print(error, file=sys.stderr)
        return "**fails**"


def row(scene, proxy):
    """Tries everything with one server, and returns what the table says of it."""
    whole = scene.length

    def install():
        scene.install(scene.host(proxy.url()), "1.0.0")
        return "yes"

    def resume():
        prefix = scene.host(proxy.url())
        proxy.count(cut=True)
        scene.install(prefix, "1.0.0")
        assert proxy.requests > 1, "nothing was cut"
        return "the rest" if proxy.bytes < 1.3 * whole else "all again"

    def ranges():
        prefix = scene.host(proxy.url())
        scene.install(prefix, "1.0.0")
        proxy.count()
        said = scene.install(prefix, "1.1.0")
        if proxy.bytes < 0.5 * whole:
            return f"{100 * proxy.bytes // whole} %"
        assert "no parts of files" in said, f"nobody says that all of it is fetched: {said}"
        return "all of it"

    def patch():
        prefix = scene.host(proxy.url())
        scene.install(prefix, "1.1.0")
        proxy.count()
        scene.install(prefix, "1.2.0")
        assert any(path.endswith(b".patch") for path in proxy.paths), "no patch was fetched"
        if proxy.bytes < 0.5 * whole:
            return f"{100 * proxy.bytes // whole} %"
        # The package is opened for its beginning, and a server without ranges sends on until it notices that nobody reads.
        return "yes"

    def mirror():
        scene.number += 1
        copy = f"{scene.directory}/mirror{scene.number}"
        proxy.count(cut=True)
        scene.run("repo-server", "mirror", proxy.url(), "--root", scene.root, "--store", f"file://{copy}", "--once")
        # The export has older versions of roles, too.
        compared = filecmp.dircmp(f"{scene.directory}/export/metadata", f"{copy}/metadata")
        assert not compared.right_only and not compared.diff_files, "the metadata of the copy is another"
        targets = filecmp.dircmp(f"{scene.directory}/export/targets", f"{copy}/targets")
        assert not targets.left_only and not targets.right_only, "the copy has other packages"
        return "yes"

    def news():
        prefix = scene.host(proxy.url())
        scene.number += 1
        version = f"1.3.{scene.number}"
        resolve = ["pkginstall", "resolve", "com.example:web", "--json"]
        scene.run(*resolve, prefix=prefix)
        scene.publish(version)
        scene.export()
        found = json.loads(scene.run(*resolve, prefix=prefix).stdout)["package"]
        return "at once" if found == f"com.example:web:{version}" else "when the cache forgets"

    return [tried(step) for step in (install, resume, ranges, patch, mirror, news)]


class Servers:
    """How each server is started."""

    def __init__(self, directory, root):
        self.directory, self.root, self.number = directory, root, 0

    def file(self, text):
        self.number += 1
        path = f"{self.directory}/server{self.number}.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def scratch(self):
        self.number += 1
        path = f"{self.directory}/scratch{self.number}"
        os.makedirs(path)
        os.chmod(path, 0o777)
        return path

    def nginx(self, port, root=None, more=""):
        scratch, user = self.scratch(), "user root;" if os.geteuid() == 0 else ""
        paths = "".join(f"{kind}_temp_path {scratch}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = f"{user} daemon off; pid {scratch}/pid; error_log {scratch}/log; events {{}} http {{ access_log off; {paths}"
        return ["nginx", "-c", self.file(f"{conf} server {{ listen 127.0.0.1:{port}; root {root or self.root}; {more} }} }}")]

    def apache2(self, port, root=None):
        scratch, root = self.scratch(), root or self.root
        modules = "/usr/lib/apache2/modules"
        load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in ("mpm_event", "authz_core", "mime"))
        conf = f"ServerRoot {scratch}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {scratch}/pid\n{load}"
        conf += f"TypesConfig /etc/mime.types\nUser www-data\nGroup www-data\nErrorLog {scratch}/log\nDocumentRoot {root}\n"
        return ["apache2", "-X", "-f", self.file(f"{conf}<Directory {root}>\nRequire all granted\n</Directory>\n")]

    def lighttpd(self, port):
        conf = f'server.document-root = "{self.root}"\nserver.port = {port}\nserver.bind = "127.0.0.1"\n'
        return ["lighttpd", "-D", "-f", self.file(conf)]

    def caddy(self, port):
        route = {"handle": [{"handler": "file_server", "root": self.root}]}
        server = {"listen": [f"127.0.0.1:{port}"], "routes": [route], "automatic_https": {"disable": True}}
        conf = {"admin": {"disabled": True}, "apps": {"http": {"servers": {"one": server}}}}
        return ["caddy", "run", "--config", self.file(json.dumps(conf)), "--adapter", ""][:4]

    def busybox(self, port):
        return ["busybox", "httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", self.root]

    def python(self, port, root=None):
        return ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", root or self.root]

    def serve(self, port):
        place = f"{self.directory}/npm"
        if not os.path.isdir(place):
            words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", place, SERVE]
            subprocess.run(words, check=True, capture_output=True, timeout=300)
        return ["node", f"{place}/node_modules/serve/build/main.js", "-n", "-L", "-l", f"tcp://127.0.0.1:{port}", self.root]

    def webfs(self, port):
        return ["webfsd", "-F", "-p", str(port), "-i", "127.0.0.1", "-r", self.root]

    def webrick(self, port):
        return ["ruby", "-run", "-e", "httpd", "--", "-p", str(port), "-b", "127.0.0.1", self.root]

    def varnish(self, port, behind):
        words = ["-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{behind}", "-n", self.scratch(), "-s", "malloc,64M"]
        return ["varnishd", "-F", "-j", "none", *words]

    def squid(self, port, behind):
        scratch = self.scratch()
        conf = f"http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost\nhttp_access allow all\ncache_mem 64 MB\n"
        conf += f"cache_peer 127.0.0.1 parent {behind} 0 no-query originserver\nmaximum_object_size_in_memory 8 MB\n"
        conf += f"pid_filename none\naccess_log none\ncache_log {scratch}/log\ncoredump_dir {scratch}\nshutdown_lifetime 0 seconds\n"
        return ["squid", "-N", "-f", self.file(conf)]


PROGRAMS = {"python": "python3", "serve": "npm", "webfs": "webfsd", "webrick": "ruby", "varnish": "varnishd"}
VERSIONS = {
    "nginx": ["nginx", "-v"], "apache2": ["apache2", "-v"], "lighttpd": ["lighttpd", "-v"], "caddy": ["caddy", "version"],
    "busybox": ["busybox"], "python": ["python3", "-V"], "webrick": ["ruby", "-rwebrick", "-e", "puts WEBrick::VERSION"],
    "varnish": ["varnishd", "-V"], "squid": ["squid", "-v"],
}
PLAIN = ["nginx", "apache2", "lighttpd", "caddy", "busybox", "python", "serve", "webfs", "webrick"]
NAMES = {"apache2": "Apache", "python": "Python `http.server`", "serve": "npm `serve`", "webfs": "webfs", "webrick": "WEBrick",
         "busybox": "busybox httpd", "varnish": "Varnish", "squid": "Squid"}


def version(name):
    if name == "serve":
        return SERVE.split("@")[1]
    if name == "webfs":
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "webfs"], capture_output=True, text=True, check=False)
        return done.stdout.split("+")[0] or "?"
    done = subprocess.run(VERSIONS[name], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "?"


def title(name):
    return f"{NAMES.get(name, name)} {version(name)}"


@contextlib.contextmanager
def running(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(port, process)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def setups(servers, scene, only):
    """The rows: a title, and commands with their ports; the last ones are asked."""
    export = servers.root
    for name in PLAIN:
        port = free_port()
        yield name, [name], lambda name=name, port=port: ([(getattr(servers, name)(port), port)], [port])
    for cache in ("varnish", "squid"):
        for more, note in (("", "before nginx"), (NO_CACHE, "before nginx with that header")):
            behind, port = free_port(), free_port()
            made = lambda cache=cache, more=more, behind=behind, port=port: (
                [(servers.nginx(behind, more=more), behind), (getattr(servers, cache)(port, behind), port)], [port])
            yield f"{cache} {note}", [cache, "nginx"], made
    one, two = free_port(), free_port()

    def pair():
        # The same files with other dates, so that every validator differs.
        other = f"{scene.directory}/other"
        scene.also = lambda: shutil.copytree(export, other, copy_function=shutil.copy, dirs_exist_ok=True)
        scene.also()
        return [(servers.nginx(one), one), (servers.apache2(two, root=other), two)], [one, two]

    yield "two behind one name", ["nginx", "apache2"], pair


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", help="the rows whose names begin like one of these")
    parser.add_argument("--programs", default=f"{HERE}/../../target/debug")
    parser.add_argument("--docs", help="the file whose table is written anew")
    arguments = parser.parse_args()
    # Whoever ends it ends the servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    only = tuple(arguments.only.split(",")) if arguments.only else ("",)
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        scene = Scene(os.path.abspath(arguments.programs), directory)
        try:
            rows, skipped = table(scene, only)
        finally:
            scene.end()
    for line in [*rows, *(f"left out: {name}" for name in skipped)]:
        print(line)
    if arguments.docs:
        write(arguments.docs, rows)
    return 1 if any("**fails**" in line for line in rows) else 0


def table(scene, only):
    servers = Servers(scene.directory, f"{scene.directory}/export")
    rows = ["| Server | Install | A cut is resumed with | A small change by ranges | By a patch | Mirror | News are seen |",
            "| --- | --- | --- | --- | --- | --- | --- |"]
    skipped = []
    for name, needed, made in setups(servers, scene, only):
        if not name.startswith(only):
            continue
        missing = [program for program in needed if not shutil.which(PROGRAMS.get(program, program))]
        if missing:
            skipped.append(f"{name}: {', '.join(missing)} is not installed")
            continue
        try:
            commands, asked = made()
            with contextlib.ExitStack() as stack:
                for command, port in commands:
                    stack.enter_context(running(command, port))
                found = row(scene, Proxy(asked))
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            skipped.append(f"{name}: {error}")
            continue
        shown = title(needed[0]) + (f" {name.split(' ', 1)[1]}" if " before" in name else "")
        if name.startswith("two"):
            shown = f"{title('nginx')} and {title('apache2')}, in turn"
        rows.append(f"| {shown} | {' | '.join(found)} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return rows, skipped


def write(path, rows):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    begin, end = (text.index(mark) for mark in MARKS)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{text[:begin]}{MARKS[0]}\n" + "\n".join(rows) + f"\n{text[end:]}")


if __name__ == "__main__":
    sys.exit(main())
