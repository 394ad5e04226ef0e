-- Compression and rollups of TimescaleDB's community edition end: history has one form on every engine. What a database has of
-- them is undone: continuous aggregates are dropped, and compressed chunks become rows again.
CREATE FUNCTION steps_to_plain_history() RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
  own_schema name;
  extension_schema name;
  rollup text;
  is_continuous boolean := false;
  is_compressed boolean := false;
BEGIN
  SELECT nspname INTO own_schema
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = 'telemetry'::regclass;
  -- without the library (timescaledb.disable_load) the setting is missing, even if the extension exists
  IF current_setting('timescaledb.license', true) IS NOT NULL THEN
    SELECT nspname INTO extension_schema
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'timescaledb';
  END IF;

  FOREACH rollup IN ARRAY ARRAY['telemetry_1m', 'telemetry_1h'] LOOP
    IF extension_schema IS NOT NULL THEN
      EXECUTE 'SELECT EXISTS (SELECT FROM timescaledb_information.continuous_aggregates
        WHERE view_schema = $1 AND view_name = $2)' INTO is_continuous USING own_schema, rollup;
    END IF;
    IF is_continuous THEN
      RETURN NEXT format('SELECT %I.remove_continuous_aggregate_policy(%L, if_exists => true)', extension_schema,
        format('%I.%I', own_schema, rollup));
      RETURN NEXT format('DROP MATERIALIZED VIEW %I.%I', own_schema, rollup);
    ELSE
      RETURN NEXT format('DROP VIEW IF EXISTS %I.%I', own_schema, rollup);
    END IF;
  END LOOP;

  IF extension_schema IS NOT NULL THEN
    EXECUTE 'SELECT coalesce(bool_or(compression_enabled), false) FROM timescaledb_information.hypertables
      WHERE hypertable_schema = $1 AND hypertable_name = ''telemetry''' INTO is_compressed USING own_schema;
  END IF;
  IF is_compressed THEN
    RETURN NEXT format('SELECT %I.remove_compression_policy(%L, if_exists => true)', extension_schema,
      format('%I.telemetry', own_schema));
    RETURN QUERY EXECUTE 'SELECT format(''SELECT %I.decompress_chunk(%L, true)'', $1, format(''%I.%I'', chunk_schema, chunk_name))
      FROM timescaledb_information.chunks
      WHERE hypertable_schema = $2 AND hypertable_name = ''telemetry'' AND is_compressed ORDER BY range_start'
      USING extension_schema, own_schema;
    RETURN NEXT format('ALTER TABLE %I.telemetry SET (timescaledb.compress = false)', own_schema);
  END IF;
END
$$;
--> statement-breakpoint
DO $$
DECLARE
  step text;
BEGIN
  -- all steps are known before the first one changes what they follow from
  FOREACH step IN ARRAY ARRAY(SELECT steps_to_plain_history()) LOOP
    -- the server's log shows how far the migration is
    RAISE LOG 'history becomes plain: %', step;
    EXECUTE step;
  END LOOP;
EXCEPTION WHEN feature_not_supported THEN
  RAISE EXCEPTION '% (%): the history was compressed under the licence "timescale", which has to hold until this migration is done: set timescaledb.license = timescale', SQLERRM, step
    USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;
--> statement-breakpoint
DROP FUNCTION steps_to_plain_history();--> statement-breakpoint
DROP FUNCTION create_rollups();--> statement-breakpoint
DROP FUNCTION drop_rollups();
