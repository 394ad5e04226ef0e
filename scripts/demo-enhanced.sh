#!/bin/sh
# demo-enhanced.sh: one process of each role. A file is imported twice and its records are stored once; a collector is killed and
# comes back. Leaves the pipeline running; make scale-stop ends it. CSV_FILE is streamed if set, otherwise a simulated file.
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

step bun run --silent setup-etcd
if [ -z "${CSV_FILE:-}" ]; then
  export CSV_FILE=data/demo.csv
  step bun run --silent simulate --hosts 31 --gpus-per-host 8 --seconds 10 --out "$CSV_FILE"
fi
export INSTANCES=1
step bun run --silent scale-local
step scripts/verify-record-count.sh "$CSV_FILE"

printf '\n== the streamer starts again and finds the whole file streamed; the collector is killed and comes back\n'
kill -s KILL "$(cat data/run/collector-1.pid)"
kill "$(cat data/run/streamer-1.pid)"
sleep 5
step bun run --silent scale-status
step scripts/verify-record-count.sh "$CSV_FILE"
printf '\nThe pipeline goes on: %s/docs; make scale-stop ends it.\n' "$url"
