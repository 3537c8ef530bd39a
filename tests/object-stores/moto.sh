#!/bin/bash
# The race of two servers on moto: moto.sh DIR [publish-race options]
#
# Installs moto into an environment below DIR, starts it on a free port with one bucket, and runs publish-race on that with two
# servers. Needs python3 with venv, the Python package index, curl, and `cargo build --workspace --bins` before.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
D=$(realpath -m "${1:?usage: moto.sh DIR [publish-race options]}"); shift
[ -e "$D" ] && { echo "$D is there already"; exit 1; }
mkdir -p "$D/race"
python3 -m venv "$D/env"
"$D/env/bin/pip" -q install 'moto[server]==5.2.5'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$D/env/bin/moto_server" -H 127.0.0.1 -p "$port" > "$D/moto.log" 2>&1 &
moto=$!
trap 'kill $moto' EXIT
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK
curl -s --retry 50 --retry-delay 1 --retry-connrefused -X PUT "$AWS_ENDPOINT_URL/race" > "$D/bucket.xml"
time "${CARGO_TARGET_DIR:-$here/target}/debug/publish-race" --store s3://race --servers 2 --directory "$D/race" "$@"
