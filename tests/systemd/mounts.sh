# A prefix on a file system of its own is there before its services start. Sourced by inside.sh.
mkdir -p /srv/store /srv/own
cat >/etc/systemd/system/srv-own.mount <<'M'
[Mount]
What=/srv/store
Where=/srv/own
Type=none
Options=bind
M
systemctl daemon-reload
systemctl start srv-own.mount
at /srv/own/prefix
recipe hello 1.0 web
printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\nsleep 1000 & echo $! >run/start.pid\n' >"$tree/script.d/start"
printf '#!/bin/sh\n' >"$tree/script.d/stop"
built hello 1.0
called 1.hello.test.local
pkginstall start com.example:hello:1.0 --as $service >/dev/null
pkginstall unit --apply >/dev/null
unit_of_service
target_of_prefix
recovery=$(ls "$prefix/.copkg/units" | grep 'recover.service$')
runs 1.0 || fail 'it was not handed over'
# As at boot: nothing is mounted when systemd reads the units.
systemctl stop "$target" "$recovery"
systemctl stop srv-own.mount
[ ! -e "$prefix" ] || fail 'it is still mounted'
systemctl daemon-reload
systemctl start "$target"
await 'it is mounted, and its services are started' "runs 1.0"
pkginstall stop --all >/dev/null
systemctl stop "$target" "$recovery" 2>/dev/null || :
