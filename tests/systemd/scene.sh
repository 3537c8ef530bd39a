# What all trials share: packages, services, waiting, failing. Sourced by inside.sh.
say() { printf '%s\n' "== $*"; }
fail() {
    say "FAILED: $*"
    [ -z "${unit:-}" ] || $ctl status --no-pager --full "$unit" || :
    [ -z "${unit:-}" ] || $ctl cat "$unit" || :
    journalctl --no-pager -n 60 || :
    cat "$prefix/.copkg/services/$service.json" || :
    exit 1
}
await() {
    n=0
    until eval "$2"; do
        n=$((n + 1))
        [ $n -lt 300 ] || fail "$1"
        sleep 0.1
    done
    say "$1"
}
ctl=systemctl

# at PREFIX: the prefix of what follows, with the key pinned.
at() {
    prefix=$1
    export COPKG_PREFIX=$prefix
    mkdir -p "$prefix"
    pkginstall trust add com.example /srv/key.pub >/dev/null
}
# called SERVICE: the service of what follows.
called() {
    service=$1
    runtime=$prefix/runtime/$service
}
# unit_of_service: the unit of the service, as it is in units/.
unit_of_service() { unit=$(cd "$prefix/.copkg/units" && ls | grep -F -- "$service.service"); }
target_of_prefix() { target=$(cd "$prefix/.copkg/units" && ls | grep 'target$'); }
main() { $ctl show -p MainPID --value "$unit"; }
runs() { pkginstall -q status "$service" 2>/dev/null | grep -q "running.*:$1 " && $ctl is-active --quiet "$unit"; }
is_running() { pkginstall status "$service" >/dev/null 2>&1; }

# recipe ID VERSION USER: an empty tree with a recipe; $tree is its directory. Rules of [service] are appended by the caller.
recipe() {
    tree=/srv/sources/$1-$2
    rm -rf "$tree"
    mkdir -p "$tree/bin" "$tree/script.d"
    printf '#!/bin/sh\n' >"$tree/bin/none"
    chmod 755 "$tree/bin/none"
    cat >"$tree/package.toml" <<RECIPE
[package]
group = "com.example"
id = "$1"
version = "$2"
[[contents]]
src = "bin"
[[contents]]
src = "script.d"
[service]
settle = "300ms"
stop_timeout = "5s"
RECIPE
    [ -z "${3:-}" ] || printf 'user = "%s"\n' "$3" >>"$tree/package.toml"
}
# built ID VERSION: builds the tree and installs the package.
built() {
    chmod 755 "$tree"/bin/* "$tree"/script.d/* 2>/dev/null || :
    rm -f "/srv/$1-$2-any.copkg"
    pkgbuild build "$tree" --key /srv/key.key --out /srv >/srv/built 2>&1 || { cat /srv/built; fail "$1 cannot be built"; }
    installed "$1" "$2"
}
installed() { pkginstall install "/srv/$1-$2-any.copkg" >/dev/null 2>&1 || fail "$1 cannot be installed"; }
