#!/bin/sh
# build-trixie.sh TARGET PACKAGES: a folder of Debian trixie with the packages (a comma list) at TARGET, all of it or
# nothing. Runs as root in namespaces of its own and under TARGET.lock, so that nobody else is building.
set -eu
target=$1
packages=$2
[ -d "$target" ] && exit 0
echo "Building $target (once, about a minute)" >&3

# what a builder that was killed has left
rm -rf "$target".building.*

if ! command -v debootstrap; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap
fi
building=$(mktemp -d "$target.building.XXXXXX")
debootstrap --variant=minbase --include="$packages" trixie "$building"
# the downloaded packages, a quarter of all of it
rm -rf "$building"/var/cache/apt/archives/*.deb "$building"/var/lib/apt/lists/*
chmod 755 "$building"
# a folder that is there is a whole one, also after a power cut
sync -f "$building"
mv -T "$building" "$target"
