#!/bin/sh
# demo-scaling.sh: two processes of each role, then more collectors, then three of each, while records keep arriving.
# Leaves the pipeline running; make scale-stop ends it. CSV_FILE is streamed if set, otherwise a simulated fleet.
case ${1:-} in
-h | --help)
  sed -n '2,3s/^# //p' "$0"
  exit
  ;;
esac
set -eu
cd "$(dirname "$0")/.."
url=${TELEMETRY_URL:-http://localhost:${PORT:-8080}}

step() {
  printf '\n== %s\n' "$*"
  "$@"
}
scale() {
  printf '\n== %s bun run scale-%s\n' "$1" "$2"
  env "$1" bun run --silent "scale-$2"
}

step bun run --silent setup-etcd
scale INSTANCES=2 local
step bun run --silent telemetry queue --url "$url"
scale COLLECTOR_INSTANCES=5 collectors
scale COLLECTOR_INSTANCES=1 collectors
step scripts/verify-record-count.sh
scale INSTANCES=3 local
step scripts/verify-record-count.sh
step bun run --silent telemetry hosts --url "$url"
printf '\nThe pipeline goes on: %s/docs; make scale-stop ends it.\n' "$url"
