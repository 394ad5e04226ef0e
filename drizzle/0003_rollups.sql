-- last_seen_at is brought up to date in place: room on each page keeps the new version beside the old one (HOT).
ALTER TABLE "gpus" SET (fillfactor = 70);
--> statement-breakpoint
-- Rollups a minute and an hour, for every metric column that there is: continuous aggregates where TimescaleDB's licence
-- allows them, else views of the same names and columns. What the licence does not allow is tried all the same: the
-- server's answer (feature_not_supported) is the one that counts.
DO $$
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

  SELECT nspname INTO extension_schema
  FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'timescaledb';
  IF extension_schema IS NOT NULL THEN
    EXECUTE format('SELECT %I.set_chunk_time_interval(''telemetry'', INTERVAL ''1 day'')', extension_schema);
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
  BEGIN
    EXECUTE 'ALTER TABLE telemetry SET (timescaledb.compress, timescaledb.compress_segmentby = ''gpu_key'', '
      'timescaledb.compress_orderby = ''"time" DESC'')';
    EXECUTE format('SELECT %I.add_compression_policy(''telemetry'', INTERVAL ''7 days'')', extension_schema);
  EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'telemetry is not compressed: %', SQLERRM;
  END;
END
$$;
