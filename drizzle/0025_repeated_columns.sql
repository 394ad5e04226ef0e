-- Columns of blocks have two more forms: presence and integers that repeat after a number of places. Those from before stay as they are.

-- After how many places a column repeats, and the place after that.
CREATE FUNCTION block_period(packed bytea, INOUT at int, OUT period int) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  period := get_byte(packed, at);
  at := at + 1;
  IF period NOT BETWEEN 1 AND 64 THEN
    RAISE 'a column of % bytes repeats after % places', length(packed), period USING ERRCODE = 'data_corrupted';
  END IF;
END
$$;
--> statement-breakpoint
-- Decimal numbers: integers, or their differences, or the differences of those, divided by a power of 10; and the place after them. If they
-- have a period, all of this is less the integer a period before.
CREATE OR REPLACE FUNCTION block_decimals(packed bytea, count int, flags int, INOUT at int, OUT numbers float8[]) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  digits int := get_byte(packed, at);
  first float8;
  left_over int8 := 0;
  place int8 := 0;
  places int[] := '{}';
  others float8[] := '{}';
  integers float8[];
  divisor float8 := power(10::float8, digits);
  period int := 0;
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
  IF flags & 32 > 0 THEN
    SELECT p.at, p.period INTO at, period FROM block_period(packed, at) p;
  END IF;
  SELECT i.at, i.integers INTO at, integers FROM block_integers(packed, count, at) i;
  IF period > 0 THEN
    FOR difference IN 1..(flags & 3) LOOP
      integers := ARRAY(SELECT sum(z) OVER (ROWS UNBOUNDED PRECEDING) FROM unnest(integers) AS z);
    END LOOP;
    numbers := ARRAY(
      SELECT (first + sum) / divisor
      FROM (
        SELECT nth, sum(z) OVER (PARTITION BY nth % period ORDER BY nth)
        FROM unnest(integers) WITH ORDINALITY AS i(z, nth)) AS sums
      ORDER BY nth);
  ELSIF flags & 3 = 0 THEN
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
CREATE OR REPLACE FUNCTION block_values(packed bytea, records int) RETURNS float8[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path FROM CURRENT AS $$
DECLARE
  flags int := get_byte(packed, 0);
  at int := 1;
  count int := records;
  present bool[];
  numbers float8[];
  period int := 0;
BEGIN
  IF records NOT BETWEEN 0 AND 8192 THEN
    RAISE 'a block has % records', records USING ERRCODE = 'data_corrupted';
  END IF;
  IF flags > 63 THEN
    RAISE 'the first byte of a column is %: damaged, or of a newer version of the program', flags
      USING ERRCODE = 'data_corrupted';
  END IF;
  IF flags & 4 > 0 THEN
    IF flags & 16 > 0 THEN
      SELECT p.at, p.period INTO at, period FROM block_period(packed, at) p;
    END IF;
    SELECT p.at, p.present INTO at, present FROM block_presence(packed, records, at) p;
    IF period > 0 THEN
      present := ARRAY(
        SELECT changes % 2 = 1
        FROM (
          SELECT place, sum(is_other::int) OVER (PARTITION BY place % period ORDER BY place) AS changes
          FROM unnest(present) WITH ORDINALITY AS p(is_other, place)) AS sums
        ORDER BY place);
    END IF;
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
