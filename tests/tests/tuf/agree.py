"""Serves states of a repository one after the other to python-tuf and to our client, and compares what they ask and get.

Usage: agree.py CLIENT TARGET STATE...   Each state is a directory with metadata/, targets/ and, in the first, root.json.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from tuf.ngclient import Updater


class Handler(SimpleHTTPRequestHandler):
    """Serves the state of the moment and writes down what is asked."""

    def __init__(self, shared, *args):
        self.shared = shared
        super().__init__(*args, directory=shared["state"])

    def do_GET(self):
        self.shared["requests"].append(self.path)
        super().do_GET()

    def log_message(self, *_):
        """Says nothing."""


def by_python(base, directory, target):
    places = [f"{directory}/metadata", f"{base}/metadata/", f"{directory}/targets", f"{base}/targets/"]
    updater = Updater(*places, bootstrap=None)
    info = updater.get_targetinfo(target)
    if info is None:
        return None
    path = updater.find_cached_target(info) or updater.download_target(info)
    with open(path, "rb") as file:
        return file.read()


def by_us(base, directory, target, client):
    command = [client, "--metadata-dir", f"{directory}/metadata", "--metadata-url", f"{base}/metadata"]
    command += ["--target-name", target, "--target-base-url", f"{base}/targets", "--target-dir", f"{directory}/targets"]
    done = subprocess.run([*command, "download"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr)
        return None
    (name,) = os.listdir(f"{directory}/targets")
    with open(f"{directory}/targets/{name}", "rb") as file:
        return file.read()


def main():
    client, target, *states = sys.argv[1:]
    shared = {"state": states[0], "requests": []}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, shared))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    with tempfile.TemporaryDirectory() as work:
        for who in ["python", "us"]:
            os.makedirs(f"{work}/{who}/metadata")
            os.makedirs(f"{work}/{who}/targets")
            shutil.copy(f"{states[0]}/root.json", f"{work}/{who}/metadata/root.json")
        for state in states:
            shared["state"] = state
            for again in ["", " again"]:
                shared["requests"] = []
                theirs = by_python(base, f"{work}/python", target)
                asked_by_them, shared["requests"] = shared["requests"], []
                ours = by_us(base, f"{work}/us", target, client)
                asked_by_us = shared["requests"]
                assert theirs is not None and theirs == ours, (state, theirs, ours)
                assert asked_by_them == asked_by_us, (state, asked_by_them, asked_by_us)
                print(f"{os.path.basename(state)}{again}: {len(asked_by_us)} requests, {len(ours)} bytes")
    server.shutdown()


main()
