"""Changes one field of a repository at a time, signs it again with the right keys, and compares what python-tuf and our
client make of it: both accept and get the same bytes after the same requests, or both refuse.

Usage: differ.py CLIENT   Prints each difference that is not known, then the numbers; ends with 1 when there is one.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater

EXPIRES = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=30)
TARGET, CONTENT = "group/file", b"content"
SIGNERS = {role: CryptoSigner.generate_ed25519() for role in ["root", "timestamp", "snapshot", "targets", "group"]}
FILES = {"root": "2.root.json", "timestamp": "timestamp.json", "snapshot": "1.snapshot.json"}
FILES |= {"targets": "1.targets.json", "group": "1.group.json"}

# What the two are known to judge differently, as (role, end of the place, what is changed, who accepts).
KNOWN = [
    # 4.5 shows metadata without `terminating`; python-tuf insists on it, and takes for a boolean whatever is true or false.
    ("targets", "/terminating", "removed", "us"),
    ("targets", "/terminating", "", "python"),
    ("root", "/consistent_snapshot", "", "python"),
    # In Python True is a number, 1.
    ("", "/version", "= True", "python"),
    ("", "/threshold", "= True", "python"),
    # A hash of an algorithm that we do not know is passed over beside one that we know.
    ("group", "/hashes", "added to", "us"),
    # Hashes that are none and `custom` that is no object are refused when they are read, not when they are used.
    ("group", "/custom", "", "python"),
    # 4.3 gives room for other top-level roles; python-tuf wants these four.
    ("root", "/roles", "added to", "us"),
    # Any 1.x is accepted by us; python-tuf wants two or three numbers.
    ("", "/spec_version", "", "us"),
]


def repository():
    root = Root(expires=EXPIRES, consistent_snapshot=True)
    for role in ["root", "timestamp", "snapshot", "targets"]:
        root.add_key(SIGNERS[role].public_key, role)
    group = Targets(expires=EXPIRES)
    group.targets[TARGET] = TargetFile.from_data(TARGET, CONTENT, ["sha256"])
    targets = Targets(expires=EXPIRES)
    targets.delegations = Delegations({}, {"group": DelegatedRole("group", [], 1, False, ["group/*"])})
    targets.add_key(SIGNERS["group"].public_key, "group")
    snapshot = Snapshot(expires=EXPIRES, meta={"targets.json": MetaFile(1), "group.json": MetaFile(1)})
    signed = {"root": root, "timestamp": Timestamp(expires=EXPIRES), "snapshot": snapshot}
    signed |= {"targets": targets, "group": group}
    first = sign("root", root.to_dict())
    root.version = 2
    return first, {role: content.to_dict() for role, content in signed.items()}


def sign(role, signed):
    signature = SIGNERS[role].sign(encode_canonical(signed).encode())
    return json.dumps({"signatures": [signature.to_dict()], "signed": signed}).encode()


def places(value, here=()):
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*here, name))


def replacements(value):
    yield from [None, True]
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from [0, -1, value + 1, str(value), 2**64 - 1]
    elif isinstance(value, str):
        yield from [value + "0", value.upper()]
    elif isinstance(value, list):
        yield from [[], value * 2]
    else:
        yield {}


def mutations(signed):
    for place in places(signed):
        if not place:
            continue

        def at(changed, place=place):
            for name in place[:-1]:
                changed = changed[name]
            return changed

        old = at(signed)[place[-1]]
        for new in replacements(old):
            if new != old or type(new) is not type(old):
                changed = copy.deepcopy(signed)
                at(changed)[place[-1]] = new
                yield place, f"= {new!r}", changed
        changed = copy.deepcopy(signed)
        del at(changed)[place[-1]]
        yield place, "removed", changed
        if isinstance(old, dict):
            changed = copy.deepcopy(signed)
            at(changed)[place[-1]]["added"] = "added"
            yield place, "added to", changed


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        kind, _, name = self.path.lstrip("/").partition("/")
        data = self.server.files.get(name) if kind == "metadata" else CONTENT
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_):
        """Says nothing."""


def by_python(base, work):
    try:
        places = [f"{work}/metadata", f"{base}/metadata/", f"{work}/targets", f"{base}/targets/"]
        updater = Updater(*places, bootstrap=None)
        info = updater.get_targetinfo(TARGET)
        return info and open(updater.download_target(info), "rb").read()
    except Exception:  # noqa: BLE001: it refuses in many ways
        return None


def by_us(client, base, work):
    command = [client, "--metadata-dir", f"{work}/metadata", "--metadata-url", f"{base}/metadata", "--target-name", TARGET]
    command += ["--target-base-url", f"{base}/targets", "--target-dir", f"{work}/targets", "download"]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return None
    (name,) = os.listdir(f"{work}/targets")
    return open(f"{work}/targets/{name}", "rb").read()


def main():
    client = os.path.abspath(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    first, honest = repository()
    accepted, refused, known, unknown = 0, 0, 0, 0
    for role, content in honest.items():
        for place, what, changed in [((), "nothing", content), *mutations(content)]:
            server.files = {FILES[name]: sign(name, signed) for name, signed in honest.items()}
            server.files[FILES[role]] = sign(role, changed)
            results = []
            for by in [by_python, lambda base, work: by_us(client, base, work)]:
                with tempfile.TemporaryDirectory() as work:
                    os.makedirs(f"{work}/metadata")
                    os.makedirs(f"{work}/targets")
                    with open(f"{work}/metadata/root.json", "wb") as file:
                        file.write(first)
                    server.asked = []
                    result = by(base, work)
                    results.append((result, server.asked if result else None))
            where = "/" + "/".join(map(str, place))
            if results[0] == results[1]:
                accepted, refused = accepted + (results[0][0] is not None), refused + (results[0][0] is None)
                continue
            who = "python" if results[0][0] else "us"
            if any((role.startswith(r), where.endswith(end), what.startswith(w), who == by) == (True,) * 4 for r, end, w, by in KNOWN):
                known += 1
                continue
            unknown += 1
            print(f"{role}: {where} {what}: python {results[0]}, we {results[1]}")
    print(f"{accepted} changes accepted by both, {refused} refused by both, {known} known differences, {unknown} unknown")
    server.shutdown()
    sys.exit(1 if unknown else 0)


main()
