#!/bin/sh
# verify-record-count.sh [FILE.csv]: compares a CSV file with what a gateway serves, record by record. Without a file, it takes
# CSV_FILE, or else the file that make scale-local streams; without any, it only counts. The gateway: TELEMETRY_URL, or PORT (8080).
exec bun "$(dirname "$0")/verify-record-count.ts" "$@"
