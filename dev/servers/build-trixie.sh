#!/bin/sh
# build-trixie.sh TARGET PACKAGES: builds a folder of Debian trixie with the packages (separated by commas) at TARGET,
# completely or not at all. Run it as root in its own namespaces, with TARGET.lock held, so that no other process builds.
set -eu
target=$1
packages=$2
[ -d "$target" ] && exit 0
echo "Building $target (once, about a minute)" >&3

# left by killed builders
rm -rf "$target".building.*

if ! command -v debootstrap; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap
fi
building=$(mktemp -d "$target.building.XXXXXX")
debootstrap --variant=minbase --include="$packages" trixie "$building"
# the downloaded packages: a quarter of the folder
rm -rf "$building"/var/cache/apt/archives/*.deb "$building"/var/lib/apt/lists/*
chmod 755 "$building"
# an existing folder is complete, even after a power failure
sync -f "$building"
mv -T "$building" "$target"
