#!/bin/sh
# Installs the Debian packages that are its arguments, without the services that they bring.
#
# The tests start every server themselves. Debian starts a service when its package is installed, and enables the
# service for each boot. For the length of the install a policy forbids the starts, and Postgres makes no cluster.
# After the install, services that were not enabled before are disabled. Both files are removed again however the
# install ends; a policy that was there before stays as it is.
#
# A package that this release of Debian lacks comes from its backports, which are a source for the length of the install.
# A package that is nowhere is left out, and does not keep the others from being installed.
#
# Only the tests of this script set FANFARE_INSTALL_ROOT.
set -eu

root=${FANFARE_INSTALL_ROOT:-}
policy=$root/usr/sbin/policy-rc.d
cluster_folder=$root/etc/postgresql-common/createcluster.d
cluster=$cluster_folder/fanfare-tests.conf
sources=$root/etc/apt/sources.list.d
backports=$sources/fanfare-tests.list
remove=
made_folder=

# The names of what starts at boot, by systemd or by scripts of SysV.
enabled() {
    for path in "$root"/etc/systemd/system/*.wants/* "$root"/etc/rc[2-5].d/S*; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            name=${path##*/}
            case $path in
                */rc?.d/*) echo "${name#S??}" ;;
                *) echo "$name" ;;
            esac
        fi
    done | sort -u
}

clean_up() {
    status=$?
    trap '' INT TERM HUP
    # Names have no spaces.
    # shellcheck disable=SC2086
    rm -f $remove
    [ -z "$made_folder" ] || rmdir -p --ignore-fail-on-non-empty "$cluster_folder"
    for name in $(enabled); do
        case " $before " in
            *" $name "*) continue ;;
        esac
        echo "was not enabled before, and is disabled again: $name"
        case $name in
            *.*) systemctl disable "$name" || true ;;
            *) update-rc.d "$name" disable || true ;;
        esac
    done
    exit $status
}

before=$(enabled | tr '\n' ' ')
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
    remove="$policy"
    cat >"$policy" <<POLICY
#!/bin/sh
# Made by the tests of Fanfare: no service starts while they install packages.
# Says yes to everything when that install has ended, and can then be deleted.
kill -0 $$ 2>/dev/null && exit 101
exit 0
POLICY
    chmod 755 "$policy"
fi

if [ ! -d "$cluster_folder" ]; then
    mkdir -p "$cluster_folder"
    made_folder=yes
fi
remove="$remove $cluster"
echo "create_main_cluster = false # made by the tests of Fanfare for the length of an install" >"$cluster"

is_known() {
    LC_ALL=C apt-cache policy "$1" | grep -q 'Candidate: [0-9]'
}

# The mirror in use and the release's name decide where the backports are.
add_backports() {
    release=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
        awk '$3 == "Debian" && $2 !~ /-/ { print $1, $2; exit }')
    if [ -n "$release" ] && [ -d "$sources" ]; then
        remove="$remove $backports"
        echo "deb ${release% *} ${release#* }-backports main" >"$backports"
        apt-get --quiet update || true
    fi
}

export DEBIAN_FRONTEND=noninteractive
apt-get --quiet update
for name in "$@"; do
    if ! is_known "$name"; then
        add_backports
        break
    fi
done
packages=
for name in "$@"; do
    if is_known "$name"; then
        packages="$packages $name"
    else
        echo "no such package here: $name"
    fi
done
# Names have no spaces.
# shellcheck disable=SC2086
apt-get --quiet install --yes --no-install-recommends $packages
