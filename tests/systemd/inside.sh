#!/bin/sh
# What is tried below a real systemd. Each trial is a file; their names are the arguments, else all are run.
set -eu
here=$(dirname "$0")
export HOME=/root
id web >/dev/null 2>&1 || useradd --system web
mkdir -p /srv/sources
prefix=/srv/none
service=none
. "$here/scene.sh"
(cd /srv && pkgbuild keygen /srv/key >/dev/null 2>&1)
for trial in ${*:-lifecycle kinds handover mounts prefixes recovery credentials users}; do
    say "-- $trial"
    unit=
    . "$here/$trial.sh"
done
say "systemd $(systemctl --version | head -n 1 | cut -d' ' -f2): all of it works"
