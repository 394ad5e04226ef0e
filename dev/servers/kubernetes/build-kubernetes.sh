#!/bin/sh
# build-kubernetes.sh FOLDER VERSION JOBS: builds kube-apiserver, kube-controller-manager and kube-scheduler of a version such as
# 1.37.2 from their Go modules into the folder. With one job it takes about 20 minutes of a processor and 3 GiB of memory.
set -eu
folder=$1
version=$2
jobs=$3
minor=${version#*.}
minor=${minor%.*}
source=$folder.source
programs=$folder.programs
mkdir -p "$source" "$programs"
cd "$source"

export GOFLAGS="-mod=mod -p=$jobs -buildvcs=false -trimpath" GOMEMLIMIT=3GiB CGO_ENABLED=0 GOWORK=off
# the module replaces its parts (k8s.io/api, ...) by folders that a published module does not have
go mod download -json "k8s.io/kubernetes@v$version" > module.json
module=$(sed -n 's/.*"GoMod": "\(.*\)".*/\1/p' module.json)
{
  echo 'module control-plane'
  sed -n 's/^go /\ngo /p' "$module"
  echo "require k8s.io/kubernetes v$version"
  sed -n "s|^[[:space:]]*\(k8s.io/[a-z-]*\) => .*|replace \1 => \1 v0.${version#*.}|p" "$module"
} > go.mod

info=k8s.io/component-base/version
flags="-s -w -X $info.gitVersion=v$version -X $info.gitMajor=1 -X $info.gitMinor=$minor"
for name in kube-apiserver kube-controller-manager kube-scheduler; do
  echo "building $name $version" >&3
  nice -n 19 go build -ldflags "$flags" -o "$programs/$name" "k8s.io/kubernetes/cmd/$name"
done
mv "$programs" "$folder"
rm -r "$source"
