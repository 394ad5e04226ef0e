-- telemetry_values says what is wrong with its arguments. A custom series is known only by the records that have it, so that no value of a
-- name that is no metric is a notice, not an error: such a series may have none in a range.
CREATE OR REPLACE FUNCTION telemetry_values(series text, from_at timestamptz, until_at timestamptz, uuids text[] DEFAULT NULL)
RETURNS TABLE (gpu_key int8, "time" timestamptz, value float8) LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
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
  RETURN QUERY EXECUTE format('
    SELECT t.gpu_key, t.time, %1$s FROM telemetry t
    WHERE t.time >= $1 AND t.time < $2 AND ($4 OR t.gpu_key = ANY ($3)) AND %1$s IS NOT NULL
    UNION ALL
    SELECT b.gpu_key, v.time, v.value
    FROM blocks b CROSS JOIN LATERAL unnest(block_times(b.times, b.records), %2$s) AS v (time, value)
    WHERE b.from_at >= $1 - interval ''1 hour'' AND b.from_at < $2 AND b.to_at >= $1 AND ($4 OR b.gpu_key = ANY ($3))
      AND %3$s IS NOT NULL AND v.time >= $1 AND v.time < $2 AND v.value IS NOT NULL', of_rows, of_blocks, has_blocks)
  USING from_at, until_at, keys, uuids IS NULL;
  IF NOT FOUND AND NOT is_metric THEN
    RAISE NOTICE 'no value: "%" is no column of telemetry, and no record that was asked for has a custom series of this name', series;
  END IF;
END
$$;
