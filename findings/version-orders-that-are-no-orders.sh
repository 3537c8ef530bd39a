#!/usr/bin/env bash
# Comparators of versions whose order is none: a < b and b < c, but c < a.
#
# univers 32.0.1 (PyPI), MavenVersion: 2.0 < 2.0-1 < 2.0.RC1 < 2.0. A list of the three has three different sorted forms, one for each
# order of its input. Maven's own ComparableVersion (3.8) says 2.0.RC1 < 2.0 < 2.0-1.
# versions 8.0.1 (crates.io), Versioning: 1 < 1.0~rc1 < v1.0 < 1. It reads a text as one of three kinds, and compares kinds another way than within one.
# version-compare 0.2.1 (crates.io), compare: 1 < 1.0-1 < 1.0-alpha-1 < 1.
#
# Seen on 2026-11-30: the expected lines at the end. What picks a newest version from such a comparator picks another one when its list is in another order.
set -eu
for tool in python3 cargo; do command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"

python3 -m venv python && python/bin/pip -q install univers==32.0.1 semantic-version==2.10.0
cat >maven.py <<'PY'
from itertools import permutations
from univers.versions import MavenVersion as Maven
sorted_forms = {tuple(v.string for v in sorted(map(Maven, order))) for order in permutations(["2.0", "2.0-1", "2.0.RC1"])}
for form in sorted(sorted_forms):
    print("univers sorts", *form)
PY
python/bin/python maven.py >seen

cargo init -q --vcs none --name orders crates
cat >>crates/Cargo.toml <<'TOML'
versions = "=8.0.1"
version-compare = "=0.2.1"
TOML
cat >crates/src/main.rs <<'RUST'
use versions::Versioning;

fn main() {
    let versions = |a: &str, b: &str| Versioning::new(a) < Versioning::new(b);
    let compare = |a: &str, b: &str| version_compare::compare(a, b) == Ok(version_compare::Cmp::Lt);
    circle("versions", versions, ["1", "1.0~rc1", "v1.0"]);
    circle("version-compare", compare, ["1", "1.0-1", "1.0-alpha-1"]);
}

fn circle(name: &str, less: impl Fn(&str, &str) -> bool, [a, b, c]: [&str; 3]) {
    println!("{name}: {a} < {b} {}, {b} < {c} {}, {c} < {a} {}", less(a, b), less(b, c), less(c, a));
}
RUST
(cd crates && cargo run -q 2>/dev/null) >>seen

cat >expected <<'TEXT'
univers sorts 2.0 2.0-1 2.0.RC1
univers sorts 2.0-1 2.0.RC1 2.0
univers sorts 2.0.RC1 2.0 2.0-1
versions: 1 < 1.0~rc1 true, 1.0~rc1 < v1.0 true, v1.0 < 1 true
version-compare: 1 < 1.0-1 true, 1.0-1 < 1.0-alpha-1 true, 1.0-alpha-1 < 1 true
TEXT
cat seen
diff expected seen && echo "as described"
