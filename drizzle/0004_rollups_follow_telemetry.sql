-- Rollups have every metric column of telemetry. A migration that changes these columns therefore drops the rollups first
-- and creates them again at its end: `bun run db:generate` writes both calls.
CREATE FUNCTION drop_rollups() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  rollup text;
  is_continuous boolean := false;
BEGIN
  FOREACH rollup IN ARRAY ARRAY['telemetry_1m', 'telemetry_1h'] LOOP
    -- without the library (timescaledb.disable_load) the setting is missing, even if the extension exists
    IF current_setting('timescaledb.license', true) IS NOT NULL THEN
      EXECUTE 'SELECT EXISTS (SELECT FROM timescaledb_information.continuous_aggregates WHERE view_name = $1)'
        INTO is_continuous USING rollup;
    END IF;
    EXECUTE format('DROP %s VIEW IF EXISTS %I', CASE WHEN is_continuous THEN 'MATERIALIZED' END, rollup);
  END LOOP;
END
$$;
--> statement-breakpoint
-- Rollups a minute and an hour: continuous aggregates if TimescaleDB's licence allows them, else views with the same names
-- and columns. The licence is not read: the server's answer (feature_not_supported) decides.
CREATE FUNCTION create_rollups() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  extension_schema name;
  aggregates text;
  bucket text;
  body text;
  rollup record;
BEGIN
  SELECT string_agg(
    format('avg(%1$I) AS %2$I, min(%1$I) AS %3$I, max(%1$I) AS %4$I, count(%1$I) AS %5$I', attname,
      attname || '_avg', attname || '_min', attname || '_max', attname || '_count'), ', ' ORDER BY attnum)
  INTO aggregates FROM pg_attribute
  WHERE attrelid = 'telemetry'::regclass AND atttypid = 'float8'::regtype AND NOT attisdropped;

  IF current_setting('timescaledb.license', true) IS NOT NULL THEN
    SELECT nspname INTO extension_schema
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'timescaledb';
  END IF;

  FOR rollup IN SELECT * FROM (VALUES ('telemetry_1m', '1 minute'), ('telemetry_1h', '1 hour')) AS r(name, width) LOOP
    bucket := CASE WHEN extension_schema IS NULL
      THEN format('date_bin(INTERVAL %L, "time", TIMESTAMPTZ ''2000-01-01 00:00:00Z'')', rollup.width)
      ELSE format('%I.time_bucket(INTERVAL %L, "time")', extension_schema, rollup.width) END;
    body := format('SELECT gpu_key, %s AS bucket, count(*) AS records, %s FROM telemetry GROUP BY gpu_key, %1$s', bucket,
      aggregates);
    BEGIN
      IF extension_schema IS NULL THEN
        EXECUTE format('CREATE VIEW %I AS %s', rollup.name, body);
      ELSE
        -- not materialized yet: until its policy has run, the aggregate computes what is asked for
        EXECUTE format('CREATE MATERIALIZED VIEW %I WITH (timescaledb.continuous, timescaledb.materialized_only = false) '
          'AS %s WITH NO DATA', rollup.name, body);
      END IF;
    EXCEPTION WHEN feature_not_supported THEN
      RAISE NOTICE '% is a view: %', rollup.name, SQLERRM;
      EXECUTE format('CREATE VIEW %I AS %s', rollup.name, body);
    END;
  END LOOP;

  IF extension_schema IS NULL THEN
    RETURN;
  END IF;
  BEGIN
    EXECUTE format('SELECT %I.add_continuous_aggregate_policy(''telemetry_1m'', start_offset => NULL, '
      'end_offset => INTERVAL ''1 minute'', schedule_interval => INTERVAL ''1 minute'')', extension_schema);
    EXECUTE format('SELECT %I.add_continuous_aggregate_policy(''telemetry_1h'', start_offset => NULL, '
      'end_offset => INTERVAL ''1 hour'', schedule_interval => INTERVAL ''10 minutes'')', extension_schema);
  EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'rollups are not kept up by a policy: %', SQLERRM;
  END;
END
$$;
