#!/bin/sh
# Installs a package of Fanfare into a root of its own, runs the server there, upgrades, removes and purges the package, and looks
# after each step at what is there. Nothing outside of the folder WORK is changed.
#
# usage: try.sh deb|rpm WORK FIRST LATER      (as root; WORK is made, and keeps a bare Debian for the next time)
set -eu

kind=$1 work=$2 first=$3 later=$4
base=$work/debian
root=$work/$kind
server=

leave() {
    status=$?
    trap '' INT TERM HUP
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    exit $status
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Says what is looked at, and ends the run unless the command after the words says yes.
expect() {
    words=$1
    shift
    if "$@"; then
        echo "ok: $words"
    else
        echo "NOT SO: $words ($*)"
        exit 1
    fi
}

inside() { chroot "$root" "$@"; }
gone() { [ ! -e "$root$1" ] && [ ! -L "$root$1" ]; }
there() { [ -e "$root$1" ] || [ -L "$root$1" ]; }
# Owner, group and mode, by the names that the root knows.
is() { [ "$(inside stat --format '%U:%G %a' "$1")" = "$2" ]; }
version() {
    case $kind in
        deb) inside dpkg-query --show --showformat '${Version}' fanfare ;;
        rpm) rpm --root "$root" --query --queryformat '%{VERSION}-%{RELEASE}' fanfare ;;
    esac
}
has_line() { grep -q "$2" "$root$1"; }

if [ ! -e "$base/made" ]; then
    rm -rf "$base"
    mkdir -p "$work"
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
        awk '$3 == "Debian" && $2 !~ /-/ { print $2, $1; exit }')
    # The release's name, then the mirror.
    # shellcheck disable=SC2086
    debootstrap --variant=minbase --include=adduser,init-system-helpers "${mirror% *}" "$base" "${mirror#* }"
    touch "$base/made"
fi
rm -rf "$root"
cp -a "$base" "$root"
# No service is started by a package's scripts: no systemd runs in this root.
mkdir -p "$root/packages"
cp "$first" "$root/packages/first.$kind"
cp "$later" "$root/packages/later.$kind"

install_it() {
    case $kind in
        deb) inside dpkg --install "/packages/$1.deb" </dev/null ;;
        # Debian has what the package requires, but RPM does not know that.
        rpm) rpm --root "$root" --nodeps --upgrade "$root/packages/$1.rpm" ;;
    esac
}

# Runs the server as its user, until the server is ready; then stops it.
serve() {
    said=$work/$kind.said
    : >"$said"
    chroot --userspec=fanfare:fanfare "$root" env FANFARE__LISTEN__ADDR=127.0.0.1:0 FANFARE__LISTEN__ADMIN_ADDR=127.0.0.1:0 \
        timeout 120 /usr/bin/fanfare serve --config /etc/fanfare/fanfare.toml >"$said" 2>&1 &
    server=$!
    until grep -q 'Fanfare is ready' "$said"; do
        kill -0 "$server" 2>/dev/null || { cat "$said"; server=; return 1; }
        sleep 0.1
    done
    kill "$server"
    wait "$server"
    server=
}

[ "$kind" = deb ] || rpm --root "$root" --initdb

install_it first
before=$(version)
expect "the user exists" inside getent passwd fanfare
expect "the user cannot log in" sh -c "chroot '$root' getent passwd fanfare | grep -q nologin"
expect "the data directory is the user's alone" is /var/lib/fanfare "fanfare:fanfare 750"
expect "the configuration is for root and the user" is /etc/fanfare/fanfare.toml "root:fanfare 640"
expect "the binary starts" inside fanfare version
expect "the configuration has no fault" inside fanfare serve --config /etc/fanfare/fanfare.toml --check
expect "the unit is there" test -n "$(find "$root/lib/systemd/system/" "$root/usr/lib/systemd/system/" -name fanfare.service)"
expect "man pages are there" there /usr/share/man/man1/fanfare-serve.1.gz
expect "completions are there" there /usr/share/bash-completion/completions/fanfare
if [ "$kind" = deb ]; then
    expect "the service is enabled" there /etc/systemd/system/multi-user.target.wants/fanfare.service
    expect "the socket is not enabled" gone /etc/systemd/system/sockets.target.wants/fanfare.socket
    expect "the package has all its files as they were packed" inside dpkg --verify fanfare
fi
expect "the server serves as its user" serve
expect "its database is in the data directory" is /var/lib/fanfare/fanfare.db "fanfare:fanfare 600"

echo "# changed by the operator" >>"$root/etc/fanfare/fanfare.toml"
install_it later
expect "the later version is installed" [ "$(version)" != "$before" ]
expect "the operator's change stays" has_line /etc/fanfare/fanfare.toml "changed by the operator"
expect "who may read the configuration stays" is /etc/fanfare/fanfare.toml "root:fanfare 640"
expect "the database stays" is /var/lib/fanfare/fanfare.db "fanfare:fanfare 600"
expect "the server serves again" serve

case $kind in
    deb) inside dpkg --remove fanfare ;;
    rpm) rpm --root "$root" --erase fanfare ;;
esac
expect "the binary is gone" gone /usr/bin/fanfare
expect "the database stays after removal" there /var/lib/fanfare/fanfare.db
case $kind in
    deb)
        expect "the configuration stays after removal" has_line /etc/fanfare/fanfare.toml "changed by the operator"
        inside dpkg --purge fanfare
        expect "the configuration is purged" gone /etc/fanfare
        expect "the database is purged" gone /var/lib/fanfare
        expect "the service is not enabled" gone /etc/systemd/system/multi-user.target.wants/fanfare.service
        expect "the package is not known any more" sh -c "! chroot '$root' dpkg-query --show fanfare 2>/dev/null"
        ;;
    rpm)
        expect "the changed configuration is kept aside" \
            has_line /etc/fanfare/fanfare.toml.rpmsave "changed by the operator"
        ;;
esac
rm -rf "$root"
