"""What the public conformance suite of the TUF project checks, in our words, over the wire against our client.

Usage: conformance.py CLIENT   Prints a line for each check and ends with 1 when one failed. Needs python-tuf. Checks of
expiry in the future need the program `faketime`, and are skipped without it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

NOW = datetime.now(timezone.utc).replace(microsecond=0)
TOP = ["root", "timestamp", "snapshot", "targets"]
KEYS = [CryptoSigner.generate_ecdsa() for _ in range(20)]


class Repo:
    """A repository in memory: content that can be changed, and every version that was signed."""

    def __init__(self):
        expires = NOW + timedelta(days=30)
        self.content = {
            "root": Root(expires=expires, consistent_snapshot=True),
            "timestamp": Timestamp(expires=expires),
            "snapshot": Snapshot(expires=expires),
            "targets": Targets(expires=expires),
        }
        self.expires = expires
        self.signed = {}
        self.signers = {}
        self.artifacts = {}
        self.asked = []
        self.fetched = []
        self.hashes = False
        self.unused = list(KEYS)
        for role in TOP:
            self.add_key(role)
        self.publish("targets", "snapshot", "timestamp", "root")

    def __getattr__(self, name):
        return self.content[name]

    def add_key(self, role, delegator="root", signer=None, signs=True):
        signer = signer or self.unused.pop()
        self.content[delegator].add_key(signer.public_key, role)
        if signs:
            self.signers.setdefault(role, {})[signer.public_key.keyid] = signer
        return signer

    def rotate(self, role):
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        self.signers[role] = {}
        self.add_key(role)

    def publish(self, *roles):
        for role in roles:
            content = self.content[role]
            if role in self.signed:
                content.version += 1
            metadata = Metadata(content)
            for signer in self.signers[role].values():
                metadata.sign(signer, append=True)
            data = metadata.to_bytes()
            self.signed.setdefault(role, []).append(data)
            meta = MetaFile.from_data(content.version, data, ["sha256"]) if self.hashes else MetaFile(content.version)
            if role == "snapshot":
                self.timestamp.snapshot_meta = meta
            elif role not in ("root", "timestamp"):
                self.snapshot.meta[f"{role}.json"] = meta

    def publish_all(self):
        self.publish(*[role for role in self.content if role not in TOP and role not in self.signed])
        self.publish("targets", "snapshot", "timestamp")

    def delegate(self, delegator, name, paths=("*",), terminating=False, signer=None):
        targets = self.content[delegator]
        if targets.delegations is None:
            targets.delegations = Delegations({}, roles={})
        targets.delegations.roles[name] = DelegatedRole(name, [], 1, terminating, list(paths))
        self.content.setdefault(name, Targets(expires=self.expires))
        known = next(iter(self.signers.get(name, {}).values()), None)
        self.add_key(name, delegator, signer or known, signs=signer is None)

    def artifact(self, role, path, data):
        self.content[role].targets[path] = TargetFile.from_data(path, data, ["sha256"])
        self.artifacts[path] = data

    def fetch(self, path):
        kind, _, name = path.partition("/")
        if kind == "metadata":
            return self.fetch_metadata(name.removesuffix(".json"))
        directory, _, file = name.rpartition("/")
        if self.root.consistent_snapshot:
            file = file.partition(".")[2]
        path = unquote(f"{directory}/{file}" if directory else file)
        self.fetched.append(path)
        return self.artifacts.get(path)

    def fetch_metadata(self, name):
        version, _, role = name.partition(".")
        if name == "timestamp" or not (self.root.consistent_snapshot or role == "root"):
            version, role = None, name
        self.asked.append((role, version and int(version)))
        versions = self.signed.get(unquote(role), [])
        if version is None:
            return versions[-1] if versions else None
        return versions[int(version) - 1] if int(version) <= len(versions) else None


class Server(ThreadingHTTPServer):
    """Serves the repository of the moment."""

    repo = None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = self.server.repo.fetch(self.path.lstrip("/"))
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_):
            """Says nothing."""


class Client:
    """The client under test, with directories of its own."""

    def __init__(self, program, server, repo, work):
        self.program, self.repo = program, repo
        server.repo = repo
        self.base = f"http://127.0.0.1:{server.server_address[1]}"
        self.metadata, self.targets = f"{work}/metadata", f"{work}/targets"
        os.makedirs(self.metadata)
        os.makedirs(self.targets)
        self.root = repo.signed["root"][0]

    def run(self, *words, days=0):
        command = ["faketime", "-f", f"+{days}d"] if days else []
        command += [self.program, "--metadata-dir", self.metadata, *words]
        self.repo.asked = []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done
        self.said = done.stderr
        return done.returncode == 0

    def init(self, root=None):
        with open(f"{self.metadata}/../initial.json", "wb") as file:
            file.write(root or self.root)
        return self.run("init", f"{self.metadata}/../initial.json")

    def refresh(self, days=0):
        return self.run("--metadata-url", f"{self.base}/metadata/", "refresh", days=days)

    def download(self, *names, days=0):
        words = ["--metadata-url", f"{self.base}/metadata/", "--target-dir", self.targets]
        words += [word for name in names for word in ("--target-name", name)]
        return self.run(*words, "--target-base-url", f"{self.base}/targets/", "download", days=days)

    def trusted(self):
        names = sorted(name for name in os.listdir(self.metadata) if name.endswith(".json"))
        return {name.removesuffix(".json"): self.version(name.removesuffix(".json")) for name in names}

    def version(self, role):
        try:
            with open(f"{self.metadata}/{role}.json", "rb") as file:
                return json.load(file)["signed"]["version"]
        except FileNotFoundError:
            return None

    def bytes(self, role):
        with open(f"{self.metadata}/{role}.json", "rb") as file:
            return file.read()

    def files(self):
        found = []
        for name in sorted(os.listdir(self.targets), key=lambda name: os.path.getmtime(f"{self.targets}/{name}")):
            with open(f"{self.targets}/{name}", "rb") as file:
                found.append(file.read())
        return found


CHECKS = []


def check(*cases, future=False):
    """Registers a check, once for each case."""

    def register(function):
        for case in cases or ((),):
            CHECKS.append((function, case, future))
        return function

    return register


@check()
def a_first_refresh_asks_for_each_file_once(client, repo):
    assert client.init() and client.refresh()
    assert repo.asked == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]
    assert client.trusted() == {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 1}
    assert client.refresh() and repo.asked == [("root", 2), ("timestamp", None)]
    assert os.listdir(f"{client.metadata}/root_history") == ["1.root.json"]


@check()
def a_download_refreshes_first(client, repo):
    assert client.init() and not client.download("nonexistent artifact")
    assert repo.asked == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]
    assert client.trusted() == {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 1}


@check(("no version",), ("wrong signature",))
def an_invalid_first_root_leads_to_no_request(client, repo, what):
    root = json.loads(client.root)
    if what == "no version":
        del root["signed"]["version"]
    else:
        root["signatures"][0]["sig"] = "3045" + "00" * 69
    client.init(json.dumps(root).encode())
    assert not client.refresh() and repo.asked == []


@check(
    ("root", {"root": 1}),
    ("timestamp", {"root": 1}),
    ("snapshot", {"root": 1, "timestamp": 1}),
    ("targets", {"root": 1, "snapshot": 1, "timestamp": 1}),
)
def metadata_without_its_signature_is_refused(client, repo, role, trusted):
    repo.signers[role].clear()
    for name in ["targets", "snapshot", "timestamp"]:
        del repo.signed[name]
    repo.publish("targets", "snapshot", "timestamp")
    if role == "root":
        repo.publish("root")
    assert client.init() and not client.refresh()
    assert client.trusted() == trusted


@check()
def the_same_timestamp_version_with_other_content_changes_nothing(client, repo):
    assert client.init() and client.refresh()
    repo.timestamp.snapshot_meta.version = 100
    repo.timestamp.version = 0
    repo.publish("timestamp")
    assert client.refresh() and repo.asked[-1] == ("timestamp", None)
    assert json.loads(client.bytes("timestamp"))["signed"]["meta"]["snapshot.json"]["version"] == 1


@check()
def hashes_of_metadata_are_checked(client, repo):
    repo.hashes = True
    repo.publish("targets", "snapshot", "timestamp")
    assert client.init() and client.refresh()
    repo.publish("targets")
    repo.snapshot.meta["targets.json"].hashes["sha256"] = "46" * 32
    repo.publish("snapshot", "timestamp")
    assert not client.refresh()
    assert client.version("snapshot") == 3 and client.version("targets") == 2


@check()
def targets_that_the_snapshot_does_not_name_yet_are_not_asked_for(client, repo):
    assert client.init() and client.refresh()
    repo.publish("targets")
    assert client.refresh() and client.version("targets") == 1
    assert repo.asked[-1] == ("timestamp", None)


@check()
def metadata_is_kept_as_it_came(client, repo):
    repo.signed["timestamp"][-1] += b" "
    assert client.init() and client.refresh()
    assert client.bytes("timestamp") == repo.signed["timestamp"][-1]


@check()
def unknown_fields_are_part_of_what_is_signed(client, repo):
    assert client.init() and client.refresh()
    repo.root.unrecognized_fields["custom-field"] = "value \u00e4\n\t\"\\"
    repo.root.roles["root"].unrecognized_fields["another-field"] = "value"
    key = repo.root.keys[repo.root.roles["snapshot"].keyids[0]]
    key.unrecognized_fields = {"keyid_hash_algorithms": "md5", "extra-field": {"a": 1, "b": [2]}}
    repo.publish("root")
    assert client.refresh() and client.version("root") == 2


@check(
    ("snapshot", {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 2}),
    ("targets", {"root": 1, "snapshot": 2, "targets": 1, "timestamp": 2}),
    ("timestamp", {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 1}),
)
def a_missing_file_ends_the_refresh_there(client, repo, role, trusted):
    assert client.init() and client.refresh()
    if role == "snapshot":
        repo.timestamp.snapshot_meta.version += 1
        repo.publish("timestamp")
    elif role == "targets":
        repo.snapshot.meta["targets.json"].version += 1
        repo.publish("snapshot", "timestamp")
    else:
        del repo.signed["timestamp"]
    assert not client.refresh()
    assert repo.asked[-1] == (role, None if role == "timestamp" else 2)
    assert client.trusted() == trusted


@check()
def metadata_of_another_type_is_refused(client, repo):
    assert client.init()
    signer = next(iter(repo.signers["timestamp"].values()))
    repo.add_key("snapshot", signer=signer)
    repo.snapshot.meta = {"snapshot.json": MetaFile(1)}
    repo.publish("root", "snapshot")
    repo.signed["timestamp"].append(repo.signed["snapshot"].pop())
    assert not client.refresh() and client.trusted() == {"root": 2}


@check()
def a_timestamp_does_not_go_back(client, repo):
    repo.publish("timestamp")
    assert client.init() and client.refresh() and client.version("timestamp") == 2
    repo.timestamp.version = 0
    repo.publish("timestamp")
    assert not client.refresh() and client.version("timestamp") == 2
    assert repo.asked[-1] == ("timestamp", None)


@check((False,), (True,))
def a_snapshot_does_not_go_back(client, repo, hashes):
    repo.hashes = hashes
    repo.publish("snapshot", "timestamp")
    assert client.init() and client.refresh()
    repo.snapshot.version = 0
    repo.publish("snapshot", "timestamp")
    assert not client.refresh() and repo.asked[-1] == ("timestamp", None)
    assert client.version("timestamp") == 2 and client.version("snapshot") == 2


@check((False,), (True,))
def targets_do_not_go_back(client, repo, hashes):
    repo.hashes = hashes
    repo.publish("targets", "snapshot", "timestamp")
    assert client.init() and client.refresh()
    repo.targets.version = 0
    repo.publish("targets", "snapshot", "timestamp")
    assert not client.refresh()
    assert client.version("snapshot") == 2 and client.version("targets") == 2


@check()
def a_role_does_not_leave_the_snapshot(client, repo):
    repo.delegate("targets", "role")
    repo.publish_all()
    assert client.init() and client.refresh()
    del repo.snapshot.meta["role.json"]
    repo.publish("snapshot", "timestamp")
    assert not client.refresh() and client.version("snapshot") == 2


@check()
def a_snapshot_of_another_version_than_named_is_refused(client, repo):
    repo.snapshot.version = 5
    repo.publish("snapshot")
    repo.signed["snapshot"] = [repo.signed["snapshot"][-1]]
    repo.timestamp.snapshot_meta.version = 1
    repo.publish("timestamp")
    assert client.init() and not client.refresh()
    assert client.trusted() == {"root": 1, "timestamp": 2} and repo.asked[-1] == ("snapshot", 1)


@check(("timestamp",), ("snapshot",), ("targets",))
def new_keys_lead_back_from_a_fast_forward(client, repo, role):
    for _ in range(50):
        repo.publish(role)
    repo.publish(*[name for name in ["snapshot", "timestamp"] if name != role])
    if role == "snapshot":
        repo.publish("timestamp")
    assert client.init() and client.refresh() and client.version(role) == 51
    repo.rotate("timestamp")
    repo.rotate("snapshot")
    repo.publish("root")
    repo.content[role].version = 0
    del repo.signed[role]
    repo.content[role].version = 1
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh(), client.said
    assert client.version(role) == 1


@check()
def an_expired_root_is_kept_and_ends_the_refresh(client, repo):
    assert client.init() and client.refresh()
    repo.root.expires = NOW - timedelta(days=1)
    repo.publish("root", "timestamp")
    assert not client.refresh()
    assert client.version("root") == 2 and client.version("timestamp") == 1
    repo.root.expires = NOW + timedelta(days=1)
    repo.publish("root")
    assert client.refresh()


@check(("timestamp",), ("snapshot",), ("targets",))
def expired_metadata_is_refused(client, repo, role):
    assert client.init() and client.refresh()
    repo.content[role].expires = NOW - timedelta(days=5)
    repo.publish("targets", "snapshot", "timestamp")
    assert not client.refresh()
    expected = dict.fromkeys(["timestamp", "snapshot", "targets"], 1)
    for name in ["timestamp", "snapshot", "targets"]:
        if name == role:
            break
        expected[name] = 2
    assert client.trusted() == {"root": 1, **expected}


@check(future=True)
def expired_metadata_that_was_kept_leads_to_what_is_new(client, repo):
    repo.timestamp.expires = NOW + timedelta(days=7)
    repo.publish("timestamp")
    assert client.init() and client.refresh()
    assert not client.refresh(days=18)
    repo.timestamp.expires = NOW + timedelta(days=21)
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh(days=18)
    assert client.trusted() == {"root": 1, "snapshot": 2, "targets": 2, "timestamp": 3}


@check(future=True)
def a_delegated_role_that_expired_is_not_used(client, repo):
    repo.delegate("targets", "role", ["path/*"])
    repo.role.expires = NOW + timedelta(days=7)
    repo.artifact("role", "path/first", b"first")
    repo.artifact("role", "path/second", b"second")
    repo.publish_all()
    assert client.init() and client.download("path/first") and client.files() == [b"first"]
    assert not client.download("path/second", days=18) and client.files() == [b"first"]
    repo.role.expires = NOW + timedelta(days=21)
    repo.publish("role", "snapshot", "timestamp")
    assert client.download("path/second", days=18) and client.files() == [b"first", b"second"]


@check()
def a_delegated_role_that_is_expired_at_first_sight_is_not_kept(client, repo):
    repo.delegate("targets", "role", ["path/*"])
    repo.role.expires = NOW - timedelta(days=1)
    repo.artifact("role", "path/file", b"content")
    repo.publish_all()
    assert client.init() and client.refresh()
    assert not client.download("path/file") and client.files() == []
    assert list(client.trusted()) == ["root", "snapshot", "targets", "timestamp"]


@check()
def a_snapshot_below_its_threshold_is_refused(client, repo):
    repo.add_key("snapshot")
    repo.add_key("snapshot")
    repo.root.roles["snapshot"].threshold = 3
    repo.publish("root", "targets", "snapshot", "timestamp")
    assert client.init() and client.refresh()
    repo.signers["snapshot"].popitem()
    repo.publish("targets", "snapshot", "timestamp")
    assert not client.refresh() and client.version("snapshot") == 2


@check()
def a_threshold_above_the_number_of_keys_is_never_met(client, repo):
    assert client.init() and client.refresh()
    repo.add_key("snapshot")
    repo.root.roles["snapshot"].threshold = 3
    repo.publish("root", "snapshot", "timestamp")
    assert not client.refresh() and client.version("root") == 2 and client.version("snapshot") == 1


@check(("role",), ("signatures",))
def a_key_does_not_count_twice(client, repo, where):
    signer = repo.add_key("snapshot")
    repo.root.roles["snapshot"].threshold = 2
    if where == "role":
        repo.root.roles["snapshot"].keyids = [signer.public_key.keyid] * 4
    repo.signers["snapshot"] = {signer.public_key.keyid: signer}
    root = repo.root
    repo.publish("root", "snapshot", "timestamp")
    metadata = json.loads(repo.signed["snapshot"].pop())
    metadata["signatures"] *= 4
    repo.signed["snapshot"].append(json.dumps(metadata).encode())
    assert root.version == 2
    assert client.init() and not client.refresh() and client.version("snapshot") is None


@check()
def a_key_that_signs_twice_is_refused_even_above_the_threshold(client, repo):
    metadata = json.loads(repo.signed["snapshot"].pop())
    metadata["signatures"] *= 2
    repo.signed["snapshot"].append(json.dumps(metadata).encode())
    assert client.init() and not client.refresh() and client.version("snapshot") is None


@check(
    (lambda: CryptoSigner.generate_rsa(scheme="rsassa-pss-sha256"),),
    (lambda: CryptoSigner.generate_rsa(scheme="rsa-pkcs1v15-sha256"),),
    (CryptoSigner.generate_ecdsa,),
    (CryptoSigner.generate_ed25519,),
)
def every_kind_of_key_signs(client, repo, generate):
    signer = repo.add_key("root", signer=generate())
    repo.root.roles["root"].threshold = 2
    repo.publish("root")
    assert client.init() and client.refresh() and client.version("root") == 2
    repo.publish("root")
    metadata = Metadata.from_bytes(repo.signed["root"][1])
    wrong = metadata.signatures[signer.public_key.keyid].signature
    metadata = Metadata.from_bytes(repo.signed["root"].pop())
    metadata.signatures[signer.public_key.keyid].signature = wrong
    repo.signed["root"].append(metadata.to_bytes())
    assert not client.refresh() and client.version("root") == 2


@check()
def a_wrong_signature_beside_enough_good_ones_does_not_matter(client, repo):
    assert client.init()
    repo.add_key("timestamp")
    repo.publish("root", "timestamp")
    for wrong in ["00" * 70, ""]:
        metadata = json.loads(repo.signed["timestamp"][-1])
        metadata["signatures"][0]["sig"] = wrong
        repo.signed["timestamp"][-1] = json.dumps(metadata).encode()
        assert client.refresh(), client.said
        repo.publish("timestamp")


ROTATIONS = [
    (True, [([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])]),
    (True, [([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])]),
    (True, [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]), ([5, 6, 7, 8, 9], 3, [5, 6, 7])]),
    (True, [([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])]),
    (False, [([1], 1, [1]), ([2], 1, [2, 3, 4])]),
    (False, [([1], 1, [1]), ([2], 1, [1, 3, 4])]),
    (False, [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])]),
]


@check(*ROTATIONS)
def roots_rotate(client, repo, accepted, rotations):
    del repo.signed["root"]
    repo.root.version = 1
    for keys, threshold, signs in rotations:
        for keyid in list(repo.root.roles["root"].keyids):
            repo.root.revoke_key(keyid, "root")
        for key in keys:
            repo.root.add_key(KEYS[key].public_key, "root")
        repo.root.roles["root"].threshold = threshold
        repo.signers["root"] = {KEYS[key].public_key.keyid: KEYS[key] for key in signs}
        repo.publish("root")
    repo.publish("targets", "snapshot", "timestamp")
    assert client.init(repo.signed["root"][0])
    assert client.refresh() == accepted
    assert client.bytes("root") == repo.signed["root"][-1 if accepted else -2]


@check(("?",), ("#",), ("/delegatedrole",), ("../delegatedrole",), (".",), ("..",), ("a b",), ("\u00e4",), ("1.root",))
def strange_role_names_are_quoted(client, repo, name):
    repo.delegate("targets", name)
    repo.publish_all()
    assert client.init() and not client.download("nonexistent target")
    assert (quote(name, ""), 1) in repo.asked, repo.asked
    assert len(client.trusted()) == 5


GRAPHS = [
    ("A", [("targets", "A")]),
    ("AB", [("targets", "A"), ("targets", "B")]),
    ("ABC", [("targets", "A"), ("targets", "B"), ("B", "C")]),
    ("ACDB", [("targets", "A"), ("targets", "B"), ("A", "C"), ("A", "D")]),
    ("ACDB", [("targets", "A"), ("targets", "B"), ("A", "C"), ("C", "D")]),
    ("AC", [("targets", "A"), ("targets", "B"), ("A", "C", ["*"], True), ("A", "D")]),
    ("ACD", [("targets", "A"), ("targets", "B"), ("A", "C", ["*"], True), ("C", "D")]),
    ("B", [("targets", "A", ["*.py"]), ("targets", "B"), ("A", "C")]),
    ("AB", [("targets", "A"), ("targets", "B"), ("A", "C", ["*.py"]), ("C", "D")]),
    ("ABCD", [("targets", "A"), ("targets", "B"), ("B", "C"), ("C", "D"), ("D", "B")]),
    ("ACB", [("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C")]),
    ("ABC", [("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C", ["*.py"])]),
]


@check(*GRAPHS)
def delegations_are_followed_in_order(client, repo, visited, edges):
    for edge in edges:
        repo.delegate(*edge)
    repo.publish_all()
    assert client.init() and not client.download("missingpath")
    assert repo.asked[4:] == [(role, 1) for role in visited]


@check(
    ("targetfile", ""),
    ("README.md", "A"),
    ("releases/x/x_v1", "BC"),
    ("releases/y/y_v1.zip", "BD"),
    ("releases/z/z_v1.zip", "B"),
)
def targets_are_found_where_the_whole_chain_may_speak(client, repo, path, visited):
    repo.delegate("targets", "A", ["*.doc", "*.md"])
    repo.delegate("targets", "B", ["releases/*/*"])
    repo.delegate("B", "C", ["releases/x/*"])
    repo.delegate("B", "D", ["releases/y/*.zip"])
    for role, name in [("targets", "targetfile"), ("A", "README.md"), ("C", "releases/x/x_v1"), ("D", "releases/y/y_v1.zip"), ("D", "releases/z/z_v1.zip")]:
        repo.artifact(role, name, name.encode())
    repo.publish_all()
    found = path != "releases/z/z_v1.zip"
    assert client.init() and client.download(path) == found
    assert client.files() == ([path.encode()] if found else [])
    assert repo.asked[4:] == [(role, 1) for role in visited]


@check()
def a_cached_role_is_verified_for_the_delegator_of_this_search(client, repo):
    repo.delegate("targets", "A", ["a/*"])
    repo.delegate("targets", "B", ["b/*"])
    repo.delegate("A", "C", ["*/*"])
    repo.delegate("B", "C", ["*/*"], signer=repo.unused.pop())
    repo.artifact("C", "a/file", b"a")
    repo.artifact("C", "b/file", b"b")
    repo.publish_all()
    assert client.init() and client.download("a/file") and not client.download("b/file")
    assert client.files() == [b"a"]


@check()
def succinct_hash_bins_are_followed(client, repo):
    bins = SuccinctRoles([], 1, 4, "bin")
    repo.targets.delegations = Delegations({}, None, bins)
    signer = repo.unused.pop()
    for name in bins.get_roles():
        repo.content[name] = Targets(expires=repo.expires)
        repo.signers[name] = {signer.public_key.keyid: signer}
    repo.targets.add_key(signer.public_key)
    name = bins.get_role_for_target("path/file")
    repo.artifact(name, "path/file", b"content")
    repo.publish_all()
    assert client.init() and client.download("path/file") and client.files() == [b"content"]
    assert repo.asked[4:] == [(name, 1)]


@check(("file.txt", True), ("path/to/a/file.txt", True), ("a b/\u00e4?#%.txt", True), ("path/file.txt", False))
def an_artifact_is_downloaded_once(client, repo, path, consistent):
    repo.root.consistent_snapshot = consistent
    repo.publish("root")
    repo.artifact("targets", path, b"content")
    repo.publish_all()
    assert client.init() and client.refresh() and client.files() == []
    assert client.download(path), client.said
    assert client.files() == [b"content"] and repo.fetched == [path]
    assert client.download(path) and repo.fetched == [path]


@check()
def several_artifacts_come_by_one_refresh(client, repo):
    paths = ["a/file", "b/file", "file"]
    for path in paths:
        repo.artifact("targets", path, path.encode())
    repo.publish_all()
    assert client.init() and client.download(*paths), client.said
    assert sorted(client.files()) == sorted(path.encode() for path in paths), "each has a name of its own"
    assert repo.fetched == paths and [role for role, _ in repo.asked].count("timestamp") == 1
    assert not client.download("a/file", "nowhere"), "one that is missing fails the whole"


@check()
def an_artifact_that_was_replaced_is_not_accepted(client, repo):
    repo.artifact("targets", "one", b"content of one")
    repo.artifact("targets", "two", b"content of two")
    repo.publish_all()
    assert client.init() and client.download("one")
    for data in [b"malicious data", b"malicious data that is longer than it should be", b"short", b""]:
        repo.artifacts.update(one=data, two=data)
        client.download("one")
        assert not client.download("two") and client.files() == [b"content of one"]


@check()
def an_artifact_that_changes_is_downloaded_again(client, repo):
    assert client.init()
    for number in range(5):
        repo.artifact("targets", "file", f"content {number}".encode())
        repo.publish_all()
        assert client.download("file") and client.files() == [f"content {number}".encode()]
        repo.artifacts["file"] = b"malicious"
        client.download("file")
        assert client.files() == [f"content {number}".encode()]


def main():
    program = os.path.abspath(sys.argv[1])
    has_faketime = shutil.which("faketime") is not None
    server = Server(("127.0.0.1", 0), Server.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    passed, failed, skipped = 0, 0, 0
    for function, case, future in CHECKS:
        name = f"{function.__name__} {case if case else ''}".strip()
        if future and not has_faketime:
            skipped += 1
            print(f"skipped: {name}: there is no program faketime")
            continue
        with tempfile.TemporaryDirectory() as work:
            repo = Repo()
            client = Client(program, server, repo, work)
            try:
                function(client, repo, *deepcopy(case) if function is not every_kind_of_key_signs else case)
                passed += 1
            except Exception as error:  # noqa: BLE001: whatever goes wrong is a failed check
                failed += 1
                print(f"failed: {name}: {type(error).__name__} {error} at line {error.__traceback__.tb_next.tb_lineno}")
                print(f"  trusted {client.trusted()}, asked {repo.asked}, said {client.said!r}")
    print(f"{passed} checks passed, {failed} failed, {skipped} skipped")
    server.shutdown()
    sys.exit(1 if failed else 0)


main()
