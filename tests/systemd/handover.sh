# What runs natively is never lost on the way to systemd and back. Sourced by inside.sh.
at /srv/handover
recipe outside 1.0
printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\ntouch /srv/handover/elsewhere || exit 9\nsleep 1000 & echo $! >run/start.pid\n' >"$tree/script.d/start"
printf '#!/bin/sh\n' >"$tree/script.d/stop"
built outside 1.0
called 1.outside.test.local
pkginstall start com.example:outside:1.0 --as $service >/dev/null
if pkginstall unit --apply $service >/srv/said 2>&1; then fail 'it was handed over'; fi
grep -q 'runs natively as before' /srv/said || { cat /srv/said; fail 'it does not say so'; }
grep -q 'exit code 9' /srv/said || { cat /srv/said; fail 'it does not say why'; }
is_running || fail 'it does not run any more'
ls /etc/systemd/system | grep -q "$service" && fail 'its unit is still there'
say 'what does not start below systemd runs natively again'
pkginstall stop $service >/dev/null

recipe fine 1.0 web
printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\nsleep 1000 & echo $! >run/start.pid\n' >"$tree/script.d/start"
printf '#!/bin/sh\n' >"$tree/script.d/stop"
built fine 1.0
called 2.fine.test.local
pkginstall start com.example:fine:1.0 --as $service >/dev/null
pkginstall unit --apply $service >/dev/null
unit_of_service
target_of_prefix
runs 1.0 || fail 'it was not handed over'
pkginstall unit --remove $service >/dev/null
is_running || fail 'it does not run natively'
systemctl is-active --quiet "$unit" && fail 'its unit is up'
[ ! -e "/etc/systemd/system/$unit" ] && [ ! -e "/etc/systemd/system/$target" ] || fail 'a unit is left'
[ ! -e "/etc/systemd/system/multi-user.target.wants/$target" ] || fail 'the target is still enabled'
say 'handed back, it runs natively and no unit is left'
pkginstall unit --apply $service >/dev/null
pkginstall stop $service >/dev/null
pkginstall forget --yes $service >/dev/null
ls /etc/systemd/system | grep -q "$service" && fail 'its unit is left'
systemctl cat "$unit" >/dev/null 2>&1 && fail 'systemd knows it'
say 'what is forgotten leaves no unit'
