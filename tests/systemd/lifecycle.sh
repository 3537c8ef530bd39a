# One service through its life: handed to systemd, upgraded, rolled back, killed, stopped and booted. Sourced by inside.sh.
at /srv/copkg
called 1.hello.test.local

# version VERSION WELL: a package whose service is well, or never is.
version() {
    tree=/srv/sources/hello-$1
    mkdir -p "$tree/bin" "$tree/script.d"
    cat >"$tree/bin/hello" <<SERVER
#!/bin/sh
trap 'echo reloaded >>"\$COPKG_RUNTIME_DIR/data/notes"' HUP
echo "$1 as \$(id -un)" >>"\$COPKG_RUNTIME_DIR/data/notes"
touch /srv/escaped 2>/dev/null && echo 'wrote outside' >>"\$COPKG_RUNTIME_DIR/data/notes"
while :; do sleep 0.1; done
SERVER
    printf '#!/bin/sh\n%s\n' "$2" >"$tree/script.d/check"
    chmod 755 "$tree/bin/hello" "$tree/script.d/check"
    cat >"$tree/package.toml" <<RECIPE
[package]
group = "com.example"
id = "hello"
version = "$1"
[[contents]]
src = "bin"
[[contents]]
src = "script.d"
[service]
exec = "bin/hello"
user = "web"
reload_signal = "HUP"
settle = "200ms"
[service.health]
interval = "200ms"
healthy_for = "500ms"
deadline = "3s"
[service.upgrade]
downgrade = "allowed"
RECIPE
    built hello "$1"
}

version 1.0 'exit 0'
version 2.0 'exit 0'
version 3.0 'echo not well; exit 1'
version 4.0 'sleep 2.5; exit 0'

pkginstall start com.example:hello:1.0 --as $service >/dev/null
native=$(cat "$runtime/run/start.pid")
pkginstall unit --apply
unit_of_service
target_of_prefix
await 'what ran is handed to systemd' "runs 1.0"
! kill -0 "$native" 2>/dev/null || fail 'the process from before lives on'
parent() { cut -d' ' -f4 "/proc/$1/stat"; }
[ "$(main)" = "$(parent "$(cat "$runtime/run/start.pid")")" ] || fail 'it is no child of the main process'
grep -q '1.0 as web' "$runtime/data/notes" || fail 'it does not run as its user'
if [ "$(grep -c 'wrote outside' "$runtime/data/notes")" -gt 1 ]; then fail 'it wrote outside of its runtime directory'; fi
say 'it runs as its user and cannot write outside of its runtime directory'
pkginstall reload $service >/dev/null
await 'a reload reaches it' "grep -q reloaded $runtime/data/notes"

pkginstall upgrade $service --to 2.0 >/dev/null 2>&1 || fail 'the upgrade failed'
await 'an upgrade goes through systemd' "runs 2.0"
systemctl show -p Description --value "$unit" | grep -q 2.0 || fail 'the unit is of another version'
if pkginstall upgrade $service --to 3.0 >/srv/said 2>&1; then fail 'an upgrade that is not well went through'; fi
grep -q 'it runs com.example:hello:2.0 as before' /srv/said || { cat /srv/said; fail 'it does not say so'; }
await 'one that is not well is rolled back through systemd' "runs 2.0"
pkginstall rollback $service >/dev/null 2>&1 || fail 'the rollback failed'
await 'a rollback goes through systemd' "runs 1.0"

first=$(cat "$runtime/run/start.pid")
kill -KILL "$first"
recorded() { cat "$runtime/run/start.pid" 2>/dev/null || echo 0; }
await 'killed, systemd starts it again' "[ \"\$(recorded)\" != 0 ] && [ \"\$(recorded)\" != $first ] && runs 1.0"
await 'and pkginstall knows the new process' "pkginstall status $service 2>/dev/null | grep -q \"pid \$(recorded)\""

pkginstall stop $service >/dev/null
systemctl is-active --quiet "$unit" && fail 'systemd thinks that it runs'
pkginstall status $service 2>/dev/null >/dev/null && fail 'pkginstall thinks that it runs'
pgrep -u web >/dev/null && fail 'processes are left'
systemctl start "$target"
systemctl is-active --quiet "$unit" && fail 'what was stopped was started by the target'
say 'stopped, it stays so'
pkginstall start $service >/dev/null
await 'started again' "runs 1.0"

# The host dies while 4.0 is on trial: its command, the service, and the recovery are gone; then it boots.
pkginstall upgrade $service --to 4.0 >/srv/said 2>&1 &
command=$!
await 'a trial begins' "grep -q '\"step\": \"trial\"' $prefix/.copkg/services/$service/change.json"
kill -KILL $command
systemctl stop "$target" "$unit"
systemctl daemon-reload
systemctl start "$target"
await 'at boot a trial is rolled back, and the old one started' "runs 1.0"
[ ! -e "$prefix/.copkg/services/$service/change.json" ] || fail 'the change is not closed'
pkginstall history $service | tail -n 2

printf 'backend = "systemd"\n' >>"$prefix/.copkg/config.toml"
called 2.hello.test.local
pkginstall start com.example:hello:1.0 --as $service >/dev/null
unit_of_service
await 'with backend = "systemd" a first start makes and links the unit' "runs 1.0"
pkginstall stop --all >/dev/null
pgrep -u web >/dev/null && fail 'processes are left'
systemctl cat "$(ls "$prefix/.copkg/units" | grep 'recover.service')" >/dev/null || fail 'it has no recovery'
