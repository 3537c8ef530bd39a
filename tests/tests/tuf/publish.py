"""Writes states of a repository with python-tuf, with keys of every kind that it has.

Usage: publish.py DIRECTORY   Makes DIRECTORY/1, DIRECTORY/2, ...
"""

import os
import sys
from datetime import datetime, timedelta, timezone

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

EXPIRES = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=30)
CONTENT = b"what python-tuf vouches for"
TARGET = "group/sub dir/file \u00e4.txt"
SIGNERS = {
    "root": [CryptoSigner.generate_ed25519(), CryptoSigner.generate_rsa()],
    "timestamp": [CryptoSigner.generate_ecdsa()],
    "snapshot": [CryptoSigner.generate_rsa(scheme="rsa-pkcs1v15-sha256")],
    "targets": [CryptoSigner.generate_rsa(scheme="rsassa-pss-sha256")],
    "group": [CryptoSigner.generate_ed25519()],
    "bins": [CryptoSigner.generate_ecdsa()],
}


def write(directory, name, signed, signers):
    metadata = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    data = metadata.to_bytes()
    os.makedirs(f"{directory}/metadata", exist_ok=True)
    with open(f"{directory}/metadata/{name}", "wb") as file:
        file.write(data)
    return data


def publish(directory, version, first_root=None):
    root = Root(expires=EXPIRES, version=version, consistent_snapshot=True)
    for role in ["root", "timestamp", "snapshot", "targets"]:
        for signer in SIGNERS[role]:
            root.add_key(signer.public_key, role)
    root.roles["root"].threshold = 2
    data = write(directory, f"{version}.root.json", root, SIGNERS["root"])
    if first_root is not None:
        with open(f"{directory}/metadata/1.root.json", "wb") as file:
            file.write(first_root)
    else:
        with open(f"{directory}/root.json", "wb") as file:
            file.write(data)

    targets = Targets(expires=EXPIRES, version=version)
    group = DelegatedRole("group", [], 1, False, ["group/*/*"])
    targets.delegations = Delegations({}, {"group": group})
    targets.add_key(SIGNERS["group"][0].public_key, "group")
    bins = SuccinctRoles([], 1, 3, "bin")
    group = Targets(expires=EXPIRES, version=version, delegations=Delegations({}, None, bins))
    group.add_key(SIGNERS["bins"][0].public_key)
    snapshot = Snapshot(expires=EXPIRES, version=version)
    data = write(directory, f"{version}.targets.json", targets, SIGNERS["targets"])
    snapshot.meta["targets.json"] = MetaFile.from_data(version, data, ["sha256", "sha512"])
    data = write(directory, f"{version}.group.json", group, SIGNERS["group"])
    snapshot.meta["group.json"] = MetaFile.from_data(version, data, ["sha512"])
    content = CONTENT + str(version).encode()
    for name in bins.get_roles():
        bin_targets = Targets(expires=EXPIRES, version=version)
        if name == bins.get_role_for_target(TARGET):
            bin_targets.targets[TARGET] = TargetFile.from_data(TARGET, content, ["sha256", "sha512"])
            (prefix, _) = bin_targets.targets[TARGET].get_prefixed_paths()
            path = f"{directory}/targets/{prefix}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        write(directory, f"{version}.{name}.json", bin_targets, SIGNERS["bins"])
        snapshot.meta[f"{name}.json"] = MetaFile(version)
    data = write(directory, f"{version}.snapshot.json", snapshot, SIGNERS["snapshot"])
    timestamp = Timestamp(expires=EXPIRES, version=version, snapshot_meta=MetaFile.from_data(version, data, ["sha256"]))
    write(directory, "timestamp.json", timestamp, SIGNERS["timestamp"])


directory = sys.argv[1]
publish(f"{directory}/1", 1)
with open(f"{directory}/1/root.json", "rb") as file:
    FIRST = file.read()
SIGNERS["snapshot"] = [CryptoSigner.generate_ed25519()]
publish(f"{directory}/2", 2, FIRST)
print(TARGET)
