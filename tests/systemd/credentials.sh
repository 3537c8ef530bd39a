# Credentials of a unit of the service's own, and the environment that it has natively. Sourced by inside.sh.
at /srv/credentials
recipe secretive 1.0
cat >>"$tree/package.toml" <<'R'
[service.config.password]
type = "secret"
[[service.templates]]
src = "bin/conf.in"
dst = "conf"
R
printf 'password = {{ config.password }}\n' >"$tree/bin/conf.in"
printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\necho "$HOME" >data/home\nsleep 1000 & echo $! >run/start.pid\n' >"$tree/script.d/start"
printf '#!/bin/sh\n' >"$tree/script.d/stop"
built secretive 1.0
called 1.secretive.test.local
printf 'hunter2\n' >/srv/password
chmod 600 /srv/password
pkginstall config set $service --package com.example:secretive:1.0 password=credential:db.password >/dev/null 2>&1 || fail 'a value cannot be set'
printf 'backend = "systemd"\n' >>"$prefix/.copkg/config.toml"
unit=$(pkginstall unit --name $service)
mkdir -p "/etc/systemd/system/$unit.d"
printf '[Service]\nLoadCredential=db.password:/srv/password\n' >"/etc/systemd/system/$unit.d/credentials.conf"
pkginstall start com.example:secretive:1.0 --as $service >/dev/null || fail 'it does not start'
runs 1.0 || fail 'it does not run'
grep -q 'password = hunter2' "$runtime/etc/conf" || fail 'the credential is not in its configuration'
say 'a credential of the unit is there before the first start'
[ "$(cat "$runtime/data/home")" = /root ] || fail "HOME is $(cat "$runtime/data/home")"
say 'HOME is what it is natively'
printf 'hunter3\n' >/srv/password
pkginstall config apply $service >/dev/null || fail 'it cannot be applied'
grep -q 'password = hunter3' "$runtime/etc/conf" || fail 'the credential is the old one'
say 'and later'
pkginstall stop --all >/dev/null
