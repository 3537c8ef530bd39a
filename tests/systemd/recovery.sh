# The recovery comes first, and what it could not do keeps services down. Sourced by inside.sh.
at /srv/recovery
recipe hello 1.0 web
printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\nsleep 1000 & echo $! >run/start.pid\n' >"$tree/script.d/start"
printf '#!/bin/sh\n' >"$tree/script.d/stop"
built hello 1.0
printf 'backend = "systemd"\n' >>"$prefix/.copkg/config.toml"
# From a directory that nobody else has.
mkdir -p /opt/copkg
cp /usr/local/bin/pkginstall /opt/copkg/pkginstall
called 2.hello.test.local
/opt/copkg/pkginstall start com.example:hello:1.0 --as 2.hello.test.local >/dev/null
called 1.hello.test.local
/opt/copkg/pkginstall start com.example:hello:1.0 --as $service >/dev/null
unit_of_service
target_of_prefix
recovery=$(ls "$prefix/.copkg/units" | grep 'recover.service$')
systemctl is-active --quiet "$recovery" || fail 'the recovery did not run'
runs 1.0 || fail 'it does not run'
say 'with a backend alone there is a recovery'
down() {
    systemctl stop "$target" "$recovery"
    systemctl daemon-reload
}
down
mv /opt/copkg/pkginstall /opt/copkg/elsewhere
systemctl start "$target"
await 'pkginstall moved, it is found where it is installed' "runs 1.0"
down
mv /usr/local/bin/pkginstall /opt/copkg/nowhere
systemctl start "$target" || :
await 'pkginstall nowhere, the recovery fails' "systemctl is-failed --quiet $recovery"
sleep 1
systemctl is-active --quiet "$unit" && fail 'a service was started although the recovery failed'
pgrep -u web >/dev/null && fail 'a service runs although the recovery failed'
journalctl --no-pager -u "$recovery" | grep -q 'pkginstall is not at /opt/copkg/pkginstall' || fail 'it does not say why'
say 'no service starts then, and it says why'
mv /opt/copkg/nowhere /usr/local/bin/pkginstall
systemctl reset-failed "$recovery" "$unit" 2>/dev/null || :
# A change that cannot be recovered holds its service back, and no other.
printf 'no change' >"$prefix/.copkg/services/$service/change.json"
systemctl start "$target"
called 2.hello.test.local
unit=$(echo "$unit" | sed 's/1\.hello/2.hello/')
await 'what could be recovered is started' "runs 1.0"
systemctl is-active --quiet "$(echo "$unit" | sed 's/2\.hello/1.hello/')" && fail 'what could not be recovered was started'
say 'what could not be recovered is not'
rm "$prefix/.copkg/services/1.hello.test.local/change.json"
pkginstall stop --all >/dev/null
down
