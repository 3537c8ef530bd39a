# Prefixes with odd names, and links to where a sandbox hides things. Sourced by inside.sh.
mkdir -p /home/them /dev/shm/them
ln -sfn /home/them /srv/link-home
ln -sfn /tmp /srv/link-tmp
ln -sfn /dev/shm/them /srv/link-shm
recipe odd 1.0 web
printf '#!/bin/sh\ncd "${1#--runtime-dir=}" || exit 1\nprintf "%%s\\n" "$COPKG_PREFIX" >data/notes\nsleep 1000 & echo $! >run/start.pid\n' >"$tree/script.d/start"
printf '#!/bin/sh\n' >"$tree/script.d/stop"
chmod 755 "$tree"/script.d/*
pkgbuild build "$tree" --key /srv/key.key --out /srv >/dev/null
while read -r odd; do
    at "$odd"
    installed odd 1.0
    called 1.odd.test.local
    unit=
    pkginstall start com.example:odd:1.0 --as $service >/dev/null </dev/null || fail "$odd: it does not start natively"
    pkginstall unit --apply >/srv/said 2>&1 </dev/null || { cat /srv/said; fail "$odd: it is not handed over"; }
    unit_of_service
    runs 1.0 || fail "$odd: it does not run"
    [ "$(cat "$runtime/data/notes")" = "$odd" ] || fail "$odd: its environment is another"
    pkginstall restart $service >/dev/null </dev/null || fail "$odd: it does not restart"
    pkginstall stop $service >/dev/null </dev/null
    say "a prefix may be $odd"
done <<'P'
/srv/with spaces
/srv/$HOME and ${PATH}
/srv/100%n %h
/srv/it's "so"
/srv/back\slash \n
/srv/ä;b&c
/home/them/direct
/srv/link-home/linked
/srv/link-tmp/linked
/srv/link-shm/linked
/tmp/direct
/dev/shm/them/direct
P
