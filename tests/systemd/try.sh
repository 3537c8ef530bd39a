#!/bin/sh
# Tries the units below a real systemd, in a container made of this machine, or of a Debian that is fetched:
#
#   tests/systemd/try.sh [--debian SUITE | --root DIRECTORY] [--binaries DIRECTORY] [TRIAL…]
#
# --debian fetches a minimal root of that suite (trixie has systemd 257) with debootstrap from the mirror that apt is configured
# for; where that is not possible it says so and does nothing. --root takes one that is there. The trials are the files beside
# this one; without names, all of them.
#
# Needs root, a kernel with overlayfs and cgroup2, and systemd on this machine or in that root. Changes nothing here: the
# container writes to a tmpfs, and everything in it ends with it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binaries=$here/../../target/debug
root=/
suite=
while [ $# -gt 0 ]; do
    case $1 in
    --debian) suite=$2 && shift 2 ;;
    --root) root=$2 && shift 2 ;;
    --binaries) binaries=$2 && shift 2 ;;
    -*) echo "try.sh: unknown option $1" >&2 && exit 2 ;;
    *) break ;;
    esac
done
work=$(mktemp -d)
trap 'rmdir "$work/base" 2>/dev/null; rm -rf "$work"' EXIT
if [ -n "$suite" ]; then
    skip() {
        echo "skipped: systemd of Debian $suite: $*"
        exit 0
    }
    command -v debootstrap >/dev/null || skip 'debootstrap is not installed'
    mirror=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -m 1 '/debian$' || echo http://deb.debian.org/debian)
    root=$work/root
    debootstrap --variant=minbase --include=systemd,systemd-sysv,procps,passwd "$suite" "$root" "$mirror" >"$work/debootstrap" 2>&1 ||
        skip "$(tail -n 1 "$work/debootstrap")"
fi
mkdir "$work/base" "$work/bin"
cp "$binaries/pkgbuild" "$binaries/pkginstall" "$here"/*.sh "$work/bin"
TRY_BIN=$work/bin TRY_ROOT=$root unshare --mount --pid --ipc --uts --cgroup --fork --kill-child "$here/boot.sh" "$work/base" &
container=$!
first() { pgrep -P "$container" | head -n 1; }
n=0
until [ -n "$(first)" ] && nsenter -t "$(first)" -a systemctl is-active --quiet try.target 2>/dev/null; do
    n=$((n + 1))
    if [ $n -ge 300 ]; then
        echo 'systemd did not come up:'
        nsenter -t "$(first)" -a cat /systemd.log || :
        kill -KILL "$container"
        exit 1
    fi
    sleep 0.1
done
code=0
nsenter -t "$(first)" -a env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh /usr/local/bin/inside.sh "$@" || code=$?
kill -KILL "$container"
wait "$container" 2>/dev/null || :
exit $code
