# Services of every kind run as a unit as they run natively. Sourced by inside.sh.
at /srv/kinds

# kind NAME START: a service of its own start script, natively first.
kind() {
    recipe "$1" 1.0 web
    printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\n%s\n' "$2" >"$tree/script.d/start"
    printf '#!/bin/sh\nexit 0\n' >"$tree/script.d/stop"
    built "$1" 1.0
    called "1.$1.test.local"
    unit=
    pkginstall start "com.example:$1:1.0" --as "$service" >/dev/null || fail "$1 does not start natively"
}
handed_over() {
    pkginstall unit --apply "$service" >/dev/null || fail "$service is not handed over"
    unit_of_service
    runs 1.0 || fail "$service does not run as a unit"
}
result() { systemctl show -p Result --value "$unit"; }
# Only what systemd would do by itself is looked at: it is not started again meanwhile.
left_alone() {
    mkdir -p "/run/systemd/system/$unit.d"
    printf '[Service]\nRestart=no\n' >"/run/systemd/system/$unit.d/try.conf"
    systemctl daemon-reload
}
sleeper='sleep 1000 & echo $! >>run/start.pid'

kind several "$sleeper
$sleeper"
one=$(head -n 1 "$runtime/run/start.pid")
kill "$one"
await 'natively one of two processes is enough' "! kill -0 $one 2>/dev/null && is_running"
pkginstall restart "$service" >/dev/null
handed_over
for pid in $(cat "$runtime/run/start.pid"); do
    pkginstall --json status "$service" | grep -qw "$pid" || fail 'status does not name both'
done
left_alone
one=$(head -n 1 "$runtime/run/start.pid")
two=$(tail -n 1 "$runtime/run/start.pid")
kill "$one"
sleep 1
kill -0 "$two" 2>/dev/null || fail 'the other process was ended, too'
runs 1.0 || fail 'it counts as ended'
say 'as a unit one of two processes is enough'
kill -KILL "$two"
await 'it failed when the last one was killed' "[ \"\$(result)\" = exit-code ]"
pkginstall status "$service" | grep -q 'signal' || { pkginstall status "$service"; fail 'status does not say how'; }
pkginstall start "$service" >/dev/null
pkginstall stop "$service" >/dev/null
pgrep -u web >/dev/null && fail 'processes are left'
say 'stopped, both are gone'

kind late '(sleep 1; setsid sleep 1000 & exit 0) & echo $! >run/start.pid'
handed_over
sleep 2
runs 1.0 || fail 'it counts as ended after its fork'
say 'what forks late and ends runs on'
pkginstall stop "$service" >/dev/null
pgrep -u web >/dev/null && fail 'processes are left'

kind none 'setsid sleep 1000 &'
handed_over
say 'no PID file is needed'
pkginstall restart "$service" >/dev/null
runs 1.0 || fail 'it does not run after a restart'
pkginstall stop "$service" >/dev/null
pgrep -u web >/dev/null && fail 'processes are left'

kind ended 'sh -c "setsid sleep 1000 & exit 0" & echo $! >run/start.pid; wait'
handed_over
say 'a recorded process may have ended'
pkginstall stop "$service" >/dev/null

kind wiped 'env -i setsid sleep 1000 & sleep 0.2'
handed_over
say 'a daemon that wipes its environment is found'
kill -KILL "$(main)"
await 'its main process killed, it is ended and started again' "[ \"\$(main)\" != 0 ] && runs 1.0"
[ "$(pgrep -u web -x sleep | wc -l)" = 1 ] || fail 'it runs twice'
pkginstall stop "$service" >/dev/null
pgrep -u web >/dev/null && fail 'processes are left'

kind crash '(sleep 2; exit 3) & echo $! >run/start.pid'
handed_over
left_alone
await 'an exit code makes it fail' "[ \"\$(result)\" = exit-code ]"
pkginstall status "$service" | grep -q 'exit code 3' || { pkginstall status "$service"; fail 'status does not say so'; }
kind done '(sleep 2; exit 0) & echo $! >run/start.pid'
handed_over
await 'one that is done is no failure' "! systemctl is-active --quiet \"$unit\" && [ \"\$(result)\" = success ]"

# Two starts of one service never run at once.
kind twice "$sleeper"
native=$(cat "$runtime/run/start.pid")
pkginstall unit "$service" >/dev/null
unit_of_service
cp "$prefix/.copkg/units/"* /etc/systemd/system/ 2>/dev/null
systemctl daemon-reload
systemctl start "$unit" 2>/dev/null && fail 'it was started although it runs natively'
kill -0 "$native" || fail 'what runs natively was ended'
is_running || fail 'it does not run natively any more'
say 'a unit does not start what runs natively'
pkginstall restart "$service" >/dev/null
runs 1.0 || fail 'a restart does not hand it over'
pkginstall stop --all >/dev/null
