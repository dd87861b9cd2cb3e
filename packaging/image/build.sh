#!/bin/sh
# Builds the image from a binary that is there already, without a base image and without compiling:
#
#     packaging/image/build.sh BINARY NAME
#
# Needs buildah, and what root.sh needs. The binary must run with Debian 12's glibc; `cargo xtask dist` makes one.
set -eu
binary=$1 name=$2 here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/root.sh" "$binary" "$work/root/root-of-image"
# The stage `root` of the Dockerfile is that folder: the stages before are not built.
# The format of Docker, since that of OCI knows no health check.
buildah build --quiet --isolation chroot --format docker --build-context root="$work/root" --file "$here/../../Dockerfile" --tag "$name" "$here/../.."
