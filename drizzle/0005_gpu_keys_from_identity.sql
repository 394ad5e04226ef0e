-- The key of a GPU follows from its uuid: 2^52 plus the first 52 bits of the uuid's SHA-256, as gpuKeyOf computes it
-- (src/domain/gpu-key.ts). Every row gets the new key. If GPUs kept the numbers that this database had counted, these numbers
-- would still be known to this database only: after a failover, a backup or an import they name another GPU, or none.
-- The table telemetry is rewritten once, which takes about 6 s for each million records, and as much space again.
DO $$
BEGIN
  -- in the order in which programs lock them; programs that run wait until the end
  LOCK TABLE "ingested_messages", "gpus", "telemetry", "gpu_workloads", "gpu_attributes" IN ACCESS EXCLUSIVE MODE;
END
$$;
--> statement-breakpoint
SELECT drop_rollups();
--> statement-breakpoint
CREATE TABLE "new_gpu_keys" AS
SELECT "gpu_key" AS "old_key", "uuid",
	4503599627370496 | ('x' || left(encode(sha256(convert_to("uuid", 'UTF8')), 'hex'), 13))::bit(52)::bigint AS "new_key"
FROM "gpus";
--> statement-breakpoint
ALTER TABLE "new_gpu_keys" ADD PRIMARY KEY ("old_key");
--> statement-breakpoint
DO $$
DECLARE
  same text;
BEGIN
  SELECT string_agg(uuid, ', ') INTO same FROM new_gpu_keys GROUP BY new_key HAVING count(*) > 1 LIMIT 1;
  IF same IS NOT NULL THEN
    RAISE EXCEPTION 'the GPUs % have the same key, so their records could not be told apart: rename one in the table gpus', same
      USING ERRCODE = 'unique_violation';
  END IF;
END
$$;
--> statement-breakpoint
ANALYZE "new_gpu_keys";
--> statement-breakpoint
-- A record whose GPU the database does not know keeps its number: no GPU can have that key, and no query returns the record.
CREATE FUNCTION new_gpu_key(key integer) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  found_key bigint;
BEGIN
  SELECT new_key INTO found_key FROM new_gpu_keys WHERE old_key = key;
  RETURN coalesce(found_key, key);
END
$$;
--> statement-breakpoint
-- TimescaleDB cannot change a column by which chunks are compressed: the chunks are compressed again by the policy.
DO $$
DECLARE
  extension_schema name;
  is_compressed boolean := false;
BEGIN
  IF current_setting('timescaledb.license', true) IS NOT NULL THEN
    SELECT nspname INTO extension_schema
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'timescaledb';
  END IF;
  IF extension_schema IS NOT NULL THEN
    EXECUTE 'SELECT coalesce(bool_or(compression_enabled), false) FROM timescaledb_information.hypertables
      WHERE hypertable_name = ''telemetry''' INTO is_compressed;
  END IF;
  IF is_compressed THEN
    EXECUTE format('SELECT %I.remove_compression_policy(''telemetry'', if_exists => true)', extension_schema);
    EXECUTE format('SELECT %1$I.decompress_chunk(c, true) FROM %1$I.show_chunks(''telemetry'') c', extension_schema);
    EXECUTE 'ALTER TABLE telemetry SET (timescaledb.compress = false)';
  END IF;
  ALTER TABLE telemetry ALTER COLUMN gpu_key SET DATA TYPE bigint USING new_gpu_key(gpu_key);
  IF is_compressed THEN
    EXECUTE 'ALTER TABLE telemetry SET (timescaledb.compress, timescaledb.compress_segmentby = ''gpu_key'', '
      'timescaledb.compress_orderby = ''"time" DESC'')';
    EXECUTE format('SELECT %I.add_compression_policy(''telemetry'', INTERVAL ''7 days'')', extension_schema);
  END IF;
END
$$;
--> statement-breakpoint
ALTER TABLE "gpu_attributes" ALTER COLUMN "gpu_key" SET DATA TYPE bigint USING new_gpu_key("gpu_key");--> statement-breakpoint
ALTER TABLE "gpu_workloads" ALTER COLUMN "gpu_key" SET DATA TYPE bigint USING new_gpu_key("gpu_key");--> statement-breakpoint
ALTER TABLE "gpus" ALTER COLUMN "gpu_key" DROP IDENTITY;--> statement-breakpoint
ALTER TABLE "gpus" ALTER COLUMN "gpu_key" SET DATA TYPE bigint USING new_gpu_key("gpu_key");--> statement-breakpoint
DROP FUNCTION new_gpu_key;--> statement-breakpoint
DROP TABLE "new_gpu_keys";--> statement-breakpoint
-- The new types have no statistics, and autovacuum collects none for a table that only a migration has changed.
ANALYZE "gpus", "gpu_attributes", "gpu_workloads", "telemetry";--> statement-breakpoint
-- A program from before this migration would go on to store records under the numbers that it remembers. It does not name the
-- new column when it records a message, the first statement of every transaction that stores records: the default then refuses
-- the statement, with an error that the program repeats until it is replaced.
CREATE FUNCTION refuse_older_program() RETURNS smallint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'this program is older than the schema of its database: replace it with the version that migrated the database'
    USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;
--> statement-breakpoint
ALTER TABLE "ingested_messages" ADD COLUMN "writer_schema" smallint DEFAULT 4 NOT NULL;--> statement-breakpoint
ALTER TABLE "ingested_messages" ALTER COLUMN "writer_schema" SET DEFAULT refuse_older_program();--> statement-breakpoint
SELECT create_rollups();
