#!/usr/bin/env bash
# A parser of Debian versions refuses one that Debian has in its archive.
#
# debian-inspector 31.1.1 (PyPI), Version.from_string: of the 21,374 different versions in Debian 12's lists it refuses one, 12.2.0-14+deb12u1+ of gcc-bpf, for
# the plus sign at its end. Debian Policy, section 5.6.12, has no such rule: a revision holds letters, digits and "+ . ~". dpkg 1.21 takes it, and so does
# python-debian 1.1.1 (PyPI).
#
# Seen on 2026-11-30: the expected lines at the end. A scanner built on it stops at a host that has the package.
set -eu
for tool in python3 dpkg; do command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"

python3 -m venv python && python/bin/pip -q install debian-inspector==31.1.1 python-debian==1.1.1
cat >parse.py <<'PY'
from debian.debian_support import NativeVersion
from debian_inspector.version import Version

for text in ["12.2.0-14+deb12u1", "12.2.0-14+deb12u1+"]:
    NativeVersion(text)
    try:
        print(text, "python-debian accepts, debian-inspector reads", Version.from_string(text))
    except ValueError as error:
        print(text, "python-debian accepts, debian-inspector:", error)
PY
{
  dpkg --validate-version 12.2.0-14+deb12u1+ && echo "dpkg accepts 12.2.0-14+deb12u1+"
  python/bin/python parse.py
} >seen

cat >expected <<'TEXT'
dpkg accepts 12.2.0-14+deb12u1+
12.2.0-14+deb12u1 python-debian accepts, debian-inspector reads 12.2.0-14+deb12u1
12.2.0-14+deb12u1+ python-debian accepts, debian-inspector: Invalid version string: "12.2.0-14+deb12u1+"
TEXT
cat seen
diff expected seen && echo "as described"
