#!/bin/sh
# Becomes systemd, as the first process of a container made of TRY_ROOT: boot.sh DIRECTORY. Called by try.sh, as root, in
# mount, PID, IPC, UTS and cgroup namespaces of its own. What is written goes to a tmpfs below DIRECTORY.
set -eu
base=$1
mount --make-rprivate /
mount -t tmpfs none "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=${TRY_ROOT:-/},upperdir=$base/upper,workdir=$base/work" "$base/root"
cd "$base/root"
mount -t proc proc proc
mount -t sysfs sysfs sys 2>/dev/null || mount --rbind /sys sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=755 none dev
for node in null zero full random urandom tty; do
    : >"dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs none dev/shm
mount --bind "$TRY_BIN" usr/local/bin
: >etc/machine-id
# Nothing of this machine is to run in there but systemd itself.
rm -rf etc/systemd/system
mkdir -p etc/systemd/system old
printf '[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\n' >etc/systemd/system/try.target
for unit in systemd-udevd systemd-timesyncd systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-update-utmp; do
    ln -s /dev/null "etc/systemd/system/$unit.service"
done
pivot_root . old
umount -l old
# As on every host: what systemd mounts for a service, its credentials above all, comes to that.
mount --make-rshared /
exec env -i container=lxc PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=try.target --log-target=console --show-status=0 </dev/null >/systemd.log 2>&1
