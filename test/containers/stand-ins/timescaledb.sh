#!/bin/sh
# Does what the entry point of docker.io/timescale/timescaledb does with the variables that compose.yaml sets: starts as root, makes
# the database at the first start, and becomes the user postgres.
set -eu
data=/var/lib/postgresql/data
install -d -o postgres -g postgres -m 0700 "$data" /var/run/postgresql
become="setpriv --reuid=postgres --regid=postgres --init-groups --no-new-privs --inh-caps=-all --"
if [ ! -s "$data/PG_VERSION" ]; then
  $become initdb --pgdata="$data" --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C.UTF-8
  echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
  echo "create database $POSTGRES_DB" | $become postgres --single -D "$data" postgres
fi
exec $become postgres -D "$data" -c listen_addresses='*' -c shared_preload_libraries=timescaledb \
  -c max_connections="$TS_TUNE_MAX_CONNS" -c timescaledb.telemetry_level="$TIMESCALEDB_TELEMETRY"
