# The systemd of a user. Sourced by inside.sh.
id dev >/dev/null 2>&1 || useradd --create-home dev
number=$(id -u dev)
mkdir -p "/run/user/$number"
chown dev: "/run/user/$number"
chmod 700 "/run/user/$number"
systemd-run --quiet --unit=try-user -p User=dev -p Delegate=yes -p Type=notify -p Environment="XDG_RUNTIME_DIR=/run/user/$number" \
    /lib/systemd/systemd --user
as_dev() { setpriv --reuid dev --regid dev --init-groups env -i HOME=/home/dev PATH="$PATH" COPKG_PREFIX=/home/dev/prefix "$@"; }
ctl="as_dev env XDG_RUNTIME_DIR=/run/user/$number systemctl --user"
prefix=/home/dev/prefix
recipe mine 1.0
printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\nsleep 1000 & echo $! >run/start.pid\n' >"$tree/script.d/start"
printf '#!/bin/sh\n' >"$tree/script.d/stop"
chmod 755 "$tree"/script.d/*
pkgbuild build "$tree" --key /srv/key.key --out /srv >/dev/null
as_dev pkginstall trust add com.example /srv/key.pub >/dev/null
as_dev pkginstall install /srv/mine-1.0-any.copkg >/dev/null 2>&1
called 1.mine.test.local
as_dev pkginstall start com.example:mine:1.0 --as $service >/dev/null
as_dev pkginstall unit --user --apply $service >/srv/said 2>&1 || { cat /srv/said; fail 'it is not handed over'; }
unit_of_service
mine() { as_dev pkginstall status $service | grep -q 'running' && $ctl is-active --quiet "$unit"; }
mine || fail 'it does not run'
say 'a unit of a user, found without XDG_RUNTIME_DIR'
[ -f "/home/dev/.config/systemd/user/$unit" ] || fail 'the unit is no copy'
first=$(cat "$runtime/run/start.pid")
kill -KILL "$first"
await 'killed, systemd starts it again' "[ -s $runtime/run/start.pid ] && [ \"\$(cat $runtime/run/start.pid)\" != $first ] && mine"
as_dev pkginstall unit --remove $service >/dev/null
[ ! -e "/home/dev/.config/systemd/user/$unit" ] || fail 'the unit is left'
as_dev pkginstall status $service >/dev/null || fail 'it does not run natively'
as_dev pkginstall stop $service >/dev/null
systemctl stop try-user
ctl=systemctl
say 'and taken away'
