#!/bin/sh
# test-time-queries.sh [UUID]: asks a gateway for a GPU's records by start_time, end_time and limit, and checks the answers.
# The gateway: TELEMETRY_URL, or localhost with PORT (8080).
exec bun "$(dirname "$0")/test-time-queries.ts" "$@"
