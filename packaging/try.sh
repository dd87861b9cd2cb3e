#!/bin/sh
# Installs a package of Fanfare into a root of its own, runs the server there, upgrades, removes and purges the package, and looks
# after each step at what is there. Nothing outside of the folder WORK is changed.
#
# For Debian an older version is installed before FIRST. The older package has the binary of FIRST: only its version number, its unit and
# its configuration are other ones, so that dpkg has something to replace and to ask about. `cargo xtask upgrade` tries an older binary.
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

# Makes the older package of FIRST.
make_older() {
    tree=$work/older
    rm -rf "$tree"
    dpkg-deb --raw-extract "$first" "$tree"
    sed -i 's/^Version: .*/Version: 0.0.1-1/' "$tree/DEBIAN/control"
    older_unit=$(find "$tree" -name fanfare.service)
    echo '# the unit of the older version' >>"$older_unit"
    echo '# the configuration of the older version' >>"$tree/etc/fanfare/fanfare.toml"
    dpkg-deb --root-owner-group --build "$tree" "$root/packages/older.deb"
    rm -rf "$tree"
}

fanfare_as_its_user() { chroot --userspec=fanfare:fanfare "$root" fanfare "$@" --config /etc/fanfare/fanfare.toml; }
has_app() { fanfare_as_its_user app list | grep -q of-the-older-version; }

# From the older package to FIRST, with a configuration that both the operator and the new version have changed.
upgrade_from_older() {
    make_older
    install_it older
    unit=/${older_unit#"$tree"/}
    expect "the older version is installed" [ "$(version)" = 0.0.1-1 ]
    expect "the older unit is there" has_line "$unit" "the unit of the older version"
    expect "the older version serves" serve
    fanfare_as_its_user app create --name of-the-older-version >/dev/null
    expect "the older version has an app" has_app
    echo "# changed by hand" >>"$root/etc/fanfare/fanfare.toml"
    # The answer "keep your version", which is dpkg's own default.
    inside dpkg --force-confold --install /packages/first.deb </dev/null
    expect "the version that replaces it is installed" [ "$(version)" != 0.0.1-1 ]
    expect "the unit is the new one" sh -c "! grep -q 'the unit of the older version' '$root$unit'"
    expect "the configuration changed by hand stays" has_line /etc/fanfare/fanfare.toml "changed by hand"
    expect "the new configuration lies beside it" there /etc/fanfare/fanfare.toml.dpkg-dist
    expect "the app of the older version is there" has_app
    expect "the database stays the user's" is /var/lib/fanfare/fanfare.db "fanfare:fanfare 600"
    expect "the server serves after the upgrade" serve
    inside dpkg --purge fanfare
    expect "configuration, what lies beside it, and database are purged" gone /etc/fanfare
    expect "the database is purged with them" gone /var/lib/fanfare
    expect "the new unit is purged" gone "$unit"
}

[ "$kind" = deb ] || rpm --root "$root" --initdb
[ "$kind" != deb ] || upgrade_from_older

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
