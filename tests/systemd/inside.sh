#!/bin/sh
# What is tried below a real systemd: a package is built, installed, started as a unit, killed, reloaded and stopped.
set -eu
say() { printf '%s\n' "== $*"; }
fail() {
    say "FAILED: $*"
    systemctl status --no-pager "$unit" || :
    journalctl --no-pager -n 30 -u "$unit" || :
    exit 1
}
prefix=/srv/copkg
export COPKG_PREFIX=$prefix HOME=/root
mkdir -p "$prefix" /srv/source/bin
id web >/dev/null 2>&1 || useradd --system web
cat >/srv/source/bin/hello <<'SERVER'
#!/bin/sh
trap 'echo reloaded >>"$COPKG_RUNTIME_DIR/data/notes"' HUP
echo "started as $(id -un)" >>"$COPKG_RUNTIME_DIR/data/notes"
touch /srv/escaped 2>/dev/null && echo 'wrote outside' >>"$COPKG_RUNTIME_DIR/data/notes"
while :; do sleep 0.1; done
SERVER
chmod 755 /srv/source/bin/hello
cat >/srv/source/package.toml <<'RECIPE'
[package]
group = "com.example"
id = "hello"
version = "1.0"
[[contents]]
src = "bin"
[service]
exec = "bin/hello"
user = "web"
reload_signal = "HUP"
settle = "200ms"
RECIPE
cd /srv/source
pkgbuild keygen /srv/key >/dev/null 2>&1
pkgbuild build --key /srv/key.key --out /srv >/dev/null
pkginstall trust add com.example /srv/key.pub >/dev/null
pkginstall install /srv/hello-1.0-any.copkg >/dev/null
service=1.hello.test.local
pkginstall start com.example:hello:1.0 --as $service >/dev/null
pkginstall stop $service >/dev/null
runtime=$prefix/runtime/$service
: >"$runtime/data/notes"

pkginstall unit --apply
unit=$(ls "$prefix/.copkg/units" | grep "$service")
await() {
    n=0
    until eval "$2"; do
        n=$((n + 1))
        [ $n -lt 300 ] || fail "$1"
        sleep 0.1
    done
    say "$1"
}
await 'systemd runs the unit' "systemctl is-active --quiet '$unit'"
await 'it runs as its user' "grep -q 'started as web' $runtime/data/notes"
if grep -q 'wrote outside' "$runtime/data/notes"; then fail 'it wrote outside of its runtime directory'; fi
say 'it cannot write outside of its runtime directory'
pkginstall status $service || fail 'pkginstall does not see it'
systemctl reload "$unit"
await 'a reload reaches it' "grep -q reloaded $runtime/data/notes"
first=$(systemctl show -p MainPID --value "$unit")
kill -KILL "$first"
await 'killed, it is started again' \
    "new=\$(systemctl show -p MainPID --value '$unit'); [ \"\$new\" != 0 ] && [ \"\$new\" != $first ] && systemctl is-active --quiet '$unit'"
systemctl stop "$unit"
await 'stopped, it is gone' "! pgrep -u web >/dev/null"
pkginstall status $service && fail 'pkginstall thinks that it runs'
systemctl start "$(ls "$prefix/.copkg/units" | grep 'target$')"
await 'the target starts all' "systemctl is-active --quiet '$unit'"
say "systemd $(systemctl --version | head -n 1 | cut -d' ' -f2): all of it works"
