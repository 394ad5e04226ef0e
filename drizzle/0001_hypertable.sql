-- A hypertable where TimescaleDB is loaded; a plain table elsewhere (PGlite, PostgreSQL).
-- `create extension` without the preloaded library ends the session, so the library's own setting is looked at first;
-- what only TimescaleDB knows stands in EXECUTE, so that nothing else has to parse it.
DO $$
BEGIN
  IF current_setting('timescaledb.max_background_workers', true) IS NOT NULL THEN
    EXECUTE 'CREATE EXTENSION IF NOT EXISTS timescaledb';
    EXECUTE 'SELECT create_hypertable(''telemetry'', ''time'', migrate_data => true, if_not_exists => true)';
  END IF;
END
$$;
