#!/bin/sh
# Tries the units below a real systemd, in a container made of this machine: tests/systemd/try.sh [DIRECTORY OF BINARIES]
#
# Needs root, systemd on this machine, a kernel with overlayfs and cgroup2. Changes nothing here: the container writes to a
# tmpfs, and everything in it ends with it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binaries=$(cd "${1:-$here/../../target/debug}" && pwd)
work=$(mktemp -d)
trap 'rmdir "$work/base"; rm -rf "$work"' EXIT
mkdir "$work/base" "$work/bin"
cp "$binaries/pkgbuild" "$binaries/pkginstall" "$here/inside.sh" "$work/bin"
TRY_BIN=$work/bin unshare --mount --pid --ipc --uts --cgroup --fork --kill-child "$here/boot.sh" "$work/base" &
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
nsenter -t "$(first)" -a env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh /usr/local/bin/inside.sh || code=$?
kill -KILL "$container"
wait "$container" 2>/dev/null || :
exit $code
