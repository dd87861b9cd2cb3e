#!/bin/sh
# Makes the file system of the image out of Debian's packages: glibc with its name service, certificates, time zones, and Fanfare.
# No shell, no package manager, nothing else that runs.
#
#     packaging/image/root.sh BINARY FOLDER
#
# Needs apt-get and dpkg-deb; the packages come from where this machine's apt gets its own.
set -eu
binary=$1 folder=$2 here=$(dirname "$(readlink -f "$0")")/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$folder"
[ -z "$(ls -A "$folder")" ] || { echo "$folder is not empty" >&2; exit 1; }
# apt drops to a user of its own, who may not write here otherwise.
chmod 777 "$work"
(cd "$work" && apt-get download --quiet=2 libc6 libgcc-s1 ca-certificates tzdata netbase)
for package in "$work"/*.deb; do
    dpkg-deb --extract "$package" "$folder"
done

# The bundle that `update-ca-certificates` would make.
mkdir -p "$folder/etc/ssl/certs" "$folder/usr/local/bin" "$folder/usr/share/fanfare" "$folder/etc/fanfare" \
    "$folder/var/lib/fanfare" "$folder/tmp"
cat "$folder"/usr/share/ca-certificates/mozilla/*.crt > "$folder/etc/ssl/certs/ca-certificates.crt"

# Of the packages nothing is left that nobody reads here: programs, character sets, manuals. The licences stay.
rm -rf "$folder/usr/sbin" "$folder/usr/bin" "$folder/sbin" "$folder/bin" "$folder/etc/ca-certificates" "$folder/usr/share/ca-certificates" \
    "$folder/usr/share/man" "$folder/usr/share/lintian" "$folder/usr/share/zoneinfo/right" "$folder/usr/share/zoneinfo/posix"
find "$folder" -depth \( -name gconv -o -name audit \) -type d -exec rm -rf {} +
find "$folder/usr/share/doc" -type f ! -name copyright -delete

printf 'root:x:0:0:root:/:/none\nfanfare:x:10001:10001::/var/lib/fanfare:/none\n' > "$folder/etc/passwd"
printf 'root:x:0:\nfanfare:x:10001:\n' > "$folder/etc/group"
# Without this line glibc asks the name server before /etc/hosts.
printf 'hosts: files dns\n' > "$folder/etc/nsswitch.conf"
cp /etc/os-release "$folder/etc/os-release"
install -m 755 "$binary" "$folder/usr/local/bin/fanfare"
install -m 644 "$here/config/docker/defaults.toml" "$folder/usr/share/fanfare/defaults.toml"
install -m 644 "$here/config/docker/fanfare.toml" "$folder/etc/fanfare/fanfare.toml"
chmod 1777 "$folder/tmp"
chown 10001:10001 "$folder/var/lib/fanfare"
