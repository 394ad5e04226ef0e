-- telemetry_values names the block that cannot be read. Catching the error takes a subtransaction, which a parallel part of a statement
-- cannot have.
CREATE OR REPLACE FUNCTION telemetry_values(series text, from_at timestamptz, until_at timestamptz, uuids text[] DEFAULT NULL)
RETURNS TABLE (gpu_key int8, "time" timestamptz, value float8) LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path FROM CURRENT AS $$
DECLARE
  block blocks;
  keys int8[] := (SELECT array_agg(g.gpu_key) FROM gpus g WHERE g.uuid = ANY (uuids));
  of_rows text := format('(t.custom ->> %L)::float8', series);
  of_blocks text := format('(SELECT s.numbers FROM block_series(b.others, b.records) s WHERE s.name = %L)', series);
  has_blocks text := 'b.others';
  is_metric bool := EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = 'telemetry'::regclass AND attname = series AND atttypid = 'float8'::regtype AND NOT attisdropped);
BEGIN
  IF series IS NULL OR from_at IS NULL OR until_at IS NULL THEN
    RAISE 'telemetry_values needs a series and a range: series is %, from_at is %, until_at is %', series, from_at, until_at
      USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF until_at < from_at THEN
    RAISE 'the range of telemetry_values ends before it begins: until_at is %, from_at is %', until_at, from_at
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF is_metric THEN
    of_rows := format('t.%I', series);
    of_blocks := format('block_values(b.%I, b.records)', series);
    has_blocks := format('b.%I', series);
  END IF;
  BEGIN
    RETURN QUERY EXECUTE format('
      SELECT t.gpu_key, t.time, %1$s FROM telemetry t
      WHERE t.time >= $1 AND t.time < $2 AND ($4 OR t.gpu_key = ANY ($3)) AND %1$s IS NOT NULL
      UNION ALL
      SELECT b.gpu_key, v.time, v.value
      FROM blocks b CROSS JOIN LATERAL unnest(block_times(b.times, b.records), %2$s) AS v (time, value)
      WHERE b.from_at >= $1 - interval ''1 hour'' AND b.from_at < $2 AND b.to_at >= $1 AND ($4 OR b.gpu_key = ANY ($3))
        AND %3$s IS NOT NULL AND v.time >= $1 AND v.time < $2 AND v.value IS NOT NULL', of_rows, of_blocks, has_blocks)
    USING from_at, until_at, keys, uuids IS NULL;
  EXCEPTION WHEN data_exception OR data_corrupted OR array_subscript_error OR program_limit_exceeded THEN
    FOR block IN
      SELECT b.* FROM blocks b
      WHERE b.from_at >= telemetry_values.from_at - interval '1 hour' AND b.from_at < telemetry_values.until_at
        AND b.to_at >= telemetry_values.from_at AND (uuids IS NULL OR b.gpu_key = ANY (keys))
    LOOP
      BEGIN
        EXECUTE format('SELECT block_times(b.times, b.records), %s FROM (SELECT ($1).*) b', of_blocks) USING block;
      EXCEPTION WHEN data_exception OR data_corrupted OR array_subscript_error OR program_limit_exceeded THEN
        RAISE 'the block of gpu_key % from % cannot be read: %', block.gpu_key, block.from_at, SQLERRM
          USING ERRCODE = 'data_corrupted', HINT = 'select * from damaged_blocks() lists the damaged columns';
      END;
    END LOOP;
    RAISE;
  END;
  IF NOT FOUND AND NOT is_metric THEN
    RAISE NOTICE 'no value: "%" is no column of telemetry, and no record that was asked for has a custom series of this name', series;
  END IF;
END
$$;
