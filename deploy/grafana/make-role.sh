#!/bin/sh
# Runs reader.sql in the container grafana-role of compose.yaml.
set -eu
export PGPASSWORD="$(cat /run/database/password)"
exec psql --host=timescaledb --username=postgres --dbname=telemetry --quiet \
  --set=password="$(cat /run/monitoring/grafana-database-password)" --file=/grafana/reader.sql
