-- A hypertable where TimescaleDB is loaded and may be used; a plain table elsewhere (PGlite, PostgreSQL, a database with
-- timescaledb.disable_load = on, a role that may not create extensions).
-- `create extension` without the preloaded library ends the session, so the library's own setting is looked at first;
-- what only TimescaleDB knows stands in EXECUTE, so that nothing else has to parse it.
DO $$
DECLARE
  extension_schema name;
BEGIN
  IF current_setting('timescaledb.max_background_workers', true) IS NULL
    OR current_setting('timescaledb.disable_load', true) = 'on' THEN
    RETURN;
  END IF;
  BEGIN
    EXECUTE 'CREATE EXTENSION IF NOT EXISTS timescaledb';
  EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE NOTICE 'telemetry stays a plain table: %', SQLERRM;
    RETURN;
  END;
  SELECT nspname INTO extension_schema
  FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'timescaledb';
  EXECUTE format(
    'SELECT %I.create_hypertable(''telemetry'', ''time'', migrate_data => true, if_not_exists => true)', extension_schema);
END
$$;
