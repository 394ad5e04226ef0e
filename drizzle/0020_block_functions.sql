-- Reads blocks in SQL. The formats are those of src/domain/block; every value is the same to the bit.

-- A natural number of seven bits a byte, and the place after it.
CREATE FUNCTION block_varint(packed bytea, INOUT at int, OUT value int8) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  byte int;
  shift int := 0;
BEGIN
  value := 0;
  LOOP
    byte := get_byte(packed, at);
    at := at + 1;
    value := value | ((byte & 127)::int8 << shift);
    EXIT WHEN byte < 128;
    shift := shift + 7;
    IF shift > 49 THEN
      RAISE 'a number of a column of % bytes has no end near byte %', length(packed), at USING ERRCODE = 'data_corrupted';
    END IF;
  END LOOP;
END
$$;
--> statement-breakpoint
-- Integers of `width` bits each, the most significant bit first.
CREATE FUNCTION block_bits(packed bytea, at int, count int, width int) RETURNS int8[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  size int := (count * width + 7) / 8;
  bits varbit;
BEGIN
  IF width > 53 OR at + size > length(packed) THEN
    RAISE 'a column of % bytes has no % integers of % bits at byte %', length(packed), count, width, at
      USING ERRCODE = 'data_corrupted';
  END IF;
  IF width = 0 OR count = 0 THEN
    RETURN array_fill(0::int8, ARRAY[count]);
  END IF;
  bits := ('x' || encode(substring(packed FROM at + 1 FOR size), 'hex'))::varbit;
  RETURN ARRAY(
    SELECT (substring(bits FROM place * width + 1 FOR width)::bit(64)::int8 >> (64 - width)) & ((1::int8 << width) - 1)
    FROM generate_series(0, count - 1) AS place);
END
$$;
--> statement-breakpoint
-- Which records have a value, and the place after that.
CREATE FUNCTION block_presence(packed bytea, records int, INOUT at int, OUT present bool[]) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  runs int8;
  run int8;
BEGIN
  SELECT v.at, v.value INTO at, runs FROM block_varint(packed, at) v;
  IF runs = 0 THEN
    present := ARRAY(SELECT bit = 1 FROM unnest(block_bits(packed, at, records, 1)) AS bit);
    at := at + (records + 7) / 8;
    RETURN;
  END IF;
  present := '{}';
  FOR place IN 1..runs LOOP
    SELECT v.at, v.value INTO at, run FROM block_varint(packed, at) v;
    EXIT WHEN cardinality(present) + run > records;
    present := present || array_fill(place % 2 = 1, ARRAY[run::int]);
  END LOOP;
  IF cardinality(present) <> records THEN
    RAISE 'a column says of % of % records whether they have a value', cardinality(present), records
      USING ERRCODE = 'data_corrupted';
  END IF;
END
$$;
--> statement-breakpoint
-- A double from its 64 bits. A function that is STRICT could not become a part of the statement that calls it.
CREATE FUNCTION block_double(bits int8) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN bits < 0 THEN -1 ELSE 1 END * CASE (bits >> 52) & 2047
  WHEN 2047 THEN CASE WHEN bits & 4503599627370495 = 0 THEN 'Infinity'::float8 ELSE 'NaN'::float8 END
  WHEN 0 THEN (bits & 4503599627370495)::float8 * '4.9406564584124654e-324'::float8
  ELSE ((bits & 4503599627370495) | 4503599627370496)::float8 * power(2::float8, (((bits >> 52) & 2047) - 1075)::float8)
END
$$;
--> statement-breakpoint
-- Doubles that are no decimal numbers of few digits, and the place after them.
CREATE FUNCTION block_doubles(packed bytea, count int, INOUT at int, OUT numbers float8[]) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  had int := 0;
  used int;
  size int;
  width int;
  part bytea;
  bits int8[] := '{}';
BEGIN
  WHILE had < count LOOP
    used := get_byte(packed, at);
    width := bit_count(used::bit(8));
    size := least(64, count - had);
    part := substring(packed FROM at + 2 FOR size * width);
    IF length(part) < size * width THEN
      RAISE 'a column of % bytes has no % doubles at byte %', length(packed), size, at USING ERRCODE = 'data_corrupted';
    END IF;
    at := at + 1 + size * width;
    had := had + size;
    -- the bytes that are zero in all of the group are left out
    bits := bits || ARRAY(
      SELECT coalesce(bit_or(get_byte(part, place * width + ordinal::int - 1)::int8 << 8 * (7 - byte)), 0)
      FROM generate_series(0, size - 1) AS place
      LEFT JOIN (SELECT byte, row_number() OVER () AS ordinal FROM generate_series(0, 7) AS byte WHERE used & (1 << byte) > 0) AS b
        ON true
      GROUP BY place ORDER BY place);
  END LOOP;
  numbers := ARRAY(
    SELECT block_double(double_bits)
    FROM (SELECT bit_xor(each) OVER (ROWS UNBOUNDED PRECEDING) AS double_bits FROM unnest(bits) AS each) AS doubles);
END
$$;
--> statement-breakpoint
-- Integers in groups of 64, and the place after them.
CREATE FUNCTION block_integers(packed bytea, count int, INOUT at int, OUT integers float8[]) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  had int := 0;
  header int;
  run int8;
  size int;
  width int;
  base int8;
  exceptions int;
  upper_width int;
  places bytea;
  part int8[];
  upper int8[];
BEGIN
  integers := '{}';
  WHILE had < count LOOP
    header := get_byte(packed, at);
    at := at + 1;
    IF header = 63 THEN
      SELECT v.at, v.value INTO at, run FROM block_varint(packed, at) v;
      IF run = 0 OR run > (count - had + 63) / 64 THEN
        RAISE 'a run of % groups of a column of % integers', run, count USING ERRCODE = 'data_corrupted';
      END IF;
      size := least(run * 64, count - had);
      integers := integers || array_fill(0::float8, ARRAY[size]);
      had := had + size;
      CONTINUE;
    END IF;
    size := least(64, count - had);
    width := header & 63;
    base := 0;
    IF header & 64 > 0 THEN
      SELECT v.at, (v.value >> 1) # -(v.value & 1) INTO at, base FROM block_varint(packed, at) v;
    END IF;
    exceptions := 0;
    IF header & 128 > 0 THEN
      exceptions := get_byte(packed, at);
      upper_width := get_byte(packed, at + 1);
      places := substring(packed FROM at + 3 FOR exceptions);
      at := at + 2 + exceptions;
      IF exceptions > size OR width + upper_width > 53 THEN
        RAISE '% exceptions of a group of % integers', exceptions, size USING ERRCODE = 'data_corrupted';
      END IF;
    END IF;
    part := block_bits(packed, at, size, width);
    at := at + (size * width + 7) / 8;
    IF exceptions > 0 THEN
      upper := block_bits(packed, at, exceptions, upper_width);
      at := at + (exceptions * upper_width + 7) / 8;
      FOR each IN 1..exceptions LOOP
        IF get_byte(places, each - 1) >= size THEN
          RAISE 'an exception at % of %', get_byte(places, each - 1), size USING ERRCODE = 'data_corrupted';
        END IF;
        part[get_byte(places, each - 1) + 1] := part[get_byte(places, each - 1) + 1] + (upper[each] << width);
      END LOOP;
    END IF;
    integers := integers || ARRAY(SELECT (base + ((z >> 1) # -(z & 1)))::float8 FROM unnest(part) AS z);
    had := had + size;
  END LOOP;
END
$$;
--> statement-breakpoint
-- Decimal numbers: integers, or their differences, or the differences of those, divided by a power of 10; and the place after them.
CREATE FUNCTION block_decimals(packed bytea, count int, flags int, INOUT at int, OUT numbers float8[]) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  digits int := get_byte(packed, at);
  first float8;
  left_over int8 := 0;
  place int8 := 0;
  places int[] := '{}';
  others float8[] := '{}';
  integers float8[];
  divisor float8 := power(10::float8, digits);
BEGIN
  SELECT v.at, (v.value >> 1) # -(v.value & 1) INTO at, first FROM block_varint(packed, at + 1) v;
  IF flags & 8 > 0 THEN
    SELECT v.at, v.value INTO at, left_over FROM block_varint(packed, at) v;
  END IF;
  IF digits > 9 OR left_over > count THEN
    RAISE '% digits, and % other values, of % decimal numbers', digits, left_over, count USING ERRCODE = 'data_corrupted';
  END IF;
  WHILE left_over > 0 LOOP
    SELECT v.at, place + v.value INTO at, place FROM block_varint(packed, at) v;
    IF place >= count THEN
      RAISE 'a value at % of %', place, count USING ERRCODE = 'data_corrupted';
    END IF;
    places := places || place::int;
    others := others || block_double(('x' || encode(substring(packed FROM at + 1 FOR 8), 'hex'))::bit(64)::int8);
    at := at + 8;
    left_over := left_over - 1;
  END LOOP;
  SELECT i.at, i.integers INTO at, integers FROM block_integers(packed, count, at) i;
  IF flags & 3 = 0 THEN
    numbers := ARRAY(SELECT (first + z) / divisor FROM unnest(integers) AS z);
  ELSIF flags & 3 = 1 THEN
    numbers := ARRAY(
      SELECT (first + sum) / divisor
      FROM (SELECT sum(z) OVER (ROWS UNBOUNDED PRECEDING) FROM unnest(integers) AS z) AS sums);
  ELSE
    numbers := ARRAY(
      SELECT (first + sum) / divisor
      FROM (
        SELECT sum(step) OVER (ROWS UNBOUNDED PRECEDING)
        FROM (SELECT sum(z) OVER (ROWS UNBOUNDED PRECEDING) AS step FROM unnest(integers) AS z) AS steps) AS sums);
  END IF;
  FOR other IN 1..cardinality(places) LOOP
    numbers[places[other] + 1] := others[other];
  END LOOP;
END
$$;
--> statement-breakpoint
-- The values of a column of a block, in the order of its records; NULL: the record has none.
CREATE FUNCTION block_values(packed bytea, records int) RETURNS float8[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path FROM CURRENT AS $$
DECLARE
  flags int := get_byte(packed, 0);
  at int := 1;
  count int := records;
  present bool[];
  numbers float8[];
BEGIN
  IF records NOT BETWEEN 0 AND 8192 THEN
    RAISE 'a block has % records', records USING ERRCODE = 'data_corrupted';
  END IF;
  IF flags > 15 THEN
    RAISE 'the first byte of a column is %: damaged, or of a newer version of the program', flags
      USING ERRCODE = 'data_corrupted';
  END IF;
  IF flags & 4 > 0 THEN
    SELECT p.at, p.present INTO at, present FROM block_presence(packed, records, at) p;
    count := cardinality(array_positions(present, true));
  END IF;
  IF flags & 3 = 3 THEN
    SELECT d.at, d.numbers INTO at, numbers FROM block_doubles(packed, count, at) d;
  ELSE
    SELECT d.at, d.numbers INTO at, numbers FROM block_decimals(packed, count, flags, at) d;
  END IF;
  IF at <> length(packed) THEN
    RAISE '% bytes of a column are left over', length(packed) - at USING ERRCODE = 'data_corrupted';
  END IF;
  IF present IS NULL THEN
    RETURN numbers;
  END IF;
  RETURN ARRAY(
    SELECT CASE WHEN is_present THEN numbers[place] END
    FROM (
      SELECT is_present, (count(*) FILTER (WHERE is_present) OVER (ROWS UNBOUNDED PRECEDING))::int AS place
      FROM unnest(present) AS is_present) AS places);
END
$$;
--> statement-breakpoint
-- The instants of the records of a block.
CREATE FUNCTION block_times(packed bytea, records int) RETURNS timestamptz[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path FROM CURRENT AS $$
SELECT ARRAY(SELECT to_timestamp(ms / 1000.0) FROM unnest(block_values(packed, records)) AS ms)
$$;
--> statement-breakpoint
-- The series of a block that have no column of their own.
CREATE FUNCTION block_series(packed bytea, records int) RETURNS TABLE (name text, numbers float8[]) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path FROM CURRENT AS $$
DECLARE
  at int := 0;
  left_over int8;
  size int8;
BEGIN
  SELECT v.at, v.value INTO at, left_over FROM block_varint(packed, at) v;
  WHILE left_over > 0 LOOP
    SELECT v.at, v.value INTO at, size FROM block_varint(packed, at) v;
    IF at + size > length(packed) THEN
      RAISE 'a name of % bytes at byte % of %', size, at, length(packed) USING ERRCODE = 'data_corrupted';
    END IF;
    name := convert_from(substring(packed FROM at + 1 FOR size::int), 'UTF8');
    SELECT v.at, v.value INTO at, size FROM block_varint(packed, at + size::int) v;
    numbers := block_values(substring(packed FROM at + 1 FOR size::int), records);
    at := at + size::int;
    left_over := left_over - 1;
    RETURN NEXT;
  END LOOP;
END
$$;
--> statement-breakpoint
-- What `custom` of telemetry has, for each record of a block.
CREATE FUNCTION block_custom(packed bytea, records int) RETURNS jsonb[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path FROM CURRENT AS $$
SELECT CASE WHEN packed IS NULL THEN '{}' ELSE ARRAY(
  SELECT jsonb_object_agg(s.name, s.numbers[place]) FILTER (WHERE s.numbers[place] IS NOT NULL)
  FROM generate_series(1, records) AS place CROSS JOIN block_series(packed, records) AS s GROUP BY place ORDER BY place) END
$$;
--> statement-breakpoint
-- What the records of a block report about their GPU, and the workloads that held it, for each record.
CREATE FUNCTION block_runs(runs json) RETURNS TABLE (attributes_id int8, container text, pod text, namespace text, occupants jsonb)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
SELECT (runs -> 'ids' ->> (runs -> 'runs' ->> (run * 3 + 1))::int)::int8, nullif(first.workload ->> 0, ''), nullif(first.workload ->> 1, ''),
  nullif(first.workload ->> 2, ''),
  CASE WHEN json_array_length(first.held) > 1 THEN (
    SELECT jsonb_agg(jsonb_build_object('container', each ->> 0, 'pod', each ->> 1, 'namespace', each ->> 2))
    FROM json_array_elements(first.held) AS each) END
FROM generate_series(0, json_array_length(runs -> 'runs') / 3 - 1) AS run
CROSS JOIN LATERAL (
  SELECT held, held -> 0 AS workload
  FROM (SELECT runs -> 'occupants' -> (runs -> 'runs' ->> (run * 3 + 2))::int AS held) AS named) AS first
CROSS JOIN LATERAL generate_series(1, (runs -> 'runs' ->> (run * 3))::int) AS record
ORDER BY run, record
$$;
--> statement-breakpoint
-- Rows and blocks alike as one view. It has the columns of telemetry: to be called after each change of those.
CREATE FUNCTION create_telemetry_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  metrics text;
  columns text;
  decoded text;
  names text;
BEGIN
  SELECT string_agg(format('t.%I', attname), ', ' ORDER BY attnum), string_agg(format('v.%I', attname), ', ' ORDER BY attnum),
    string_agg(format('block_values(b.%I, b.records)', attname), ', ' ORDER BY attnum),
    string_agg(format('%I', attname), ', ' ORDER BY attnum)
  INTO columns, metrics, decoded, names
  FROM pg_attribute
  WHERE attrelid = 'telemetry'::regclass AND attnum > 0 AND NOT attisdropped AND atttypid = 'float8'::regtype;
  DROP VIEW IF EXISTS telemetry_all;
  EXECUTE format('CREATE VIEW telemetry_all AS
    SELECT t.gpu_key, t.time, %s, t.custom, t.container, t.pod, t.namespace, t.occupants, t.attributes_id FROM telemetry t
    UNION ALL
    SELECT b.gpu_key, v.time, %s, v.custom, v.container, v.pod, v.namespace, v.occupants, v.attributes_id
    FROM blocks b CROSS JOIN LATERAL ROWS FROM (
      unnest(block_times(b.times, b.records)), unnest(%s), unnest(block_custom(b.others, b.records)), block_runs(b.runs)
    ) AS v (time, %s, custom, attributes_id, container, pod, namespace, occupants)', columns, metrics, decoded, names);
END
$$;
--> statement-breakpoint
SELECT create_telemetry_all();
--> statement-breakpoint
-- The values of one series in a range of time, of some GPUs or of all (NULL): by an index, and only this series is decoded.
CREATE FUNCTION telemetry_values(series text, from_at timestamptz, until_at timestamptz, uuids text[] DEFAULT NULL)
RETURNS TABLE (gpu_key int8, "time" timestamptz, value float8) LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  keys int8[] := (SELECT array_agg(g.gpu_key) FROM gpus g WHERE g.uuid = ANY (uuids));
  of_rows text := format('(t.custom ->> %L)::float8', series);
  of_blocks text := format('(SELECT s.numbers FROM block_series(b.others, b.records) s WHERE s.name = %L)', series);
  has_blocks text := 'b.others';
BEGIN
  IF EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = 'telemetry'::regclass AND attname = series AND atttypid = 'float8'::regtype AND NOT attisdropped) THEN
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
END
$$;
--> statement-breakpoint
-- The columns of blocks that cannot be read, with the reason. It reads all blocks.
CREATE FUNCTION damaged_blocks() RETURNS TABLE (gpu_key int8, from_at timestamptz, packed name, fault text) LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT AS $$
DECLARE
  block blocks;
BEGIN
  FOR block IN SELECT * FROM blocks LOOP
    FOR packed IN SELECT attname FROM pg_attribute WHERE attrelid = 'blocks'::regclass AND atttypid IN ('bytea'::regtype, 'json'::regtype) LOOP
      BEGIN
        EXECUTE format(
          CASE packed WHEN 'others' THEN 'SELECT block_custom($1.%I, $1.records)' WHEN 'runs' THEN 'SELECT block_runs($1.%I)'
            ELSE 'SELECT block_values($1.%I, $1.records)' END, packed) USING block;
      EXCEPTION WHEN data_exception OR data_corrupted OR array_subscript_error OR program_limit_exceeded THEN
        gpu_key := block.gpu_key;
        from_at := block.from_at;
        fault := SQLERRM;
        RETURN NEXT;
      END;
    END LOOP;
  END LOOP;
END
$$;
