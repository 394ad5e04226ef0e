import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { staleDays } from "./delete-old.ts";

/** A chunk of the hypertable: an SQL name, and its range of time, in milliseconds since the epoch. */
export interface Chunk {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** The size of its table without indexes. */
  readonly bytes: number;
  /** About so many deleted rows have not been vacuumed. */
  readonly deadRows: number;
}

/** The chunks that ended more than `days` ago, the oldest first. */
export function selectChunks(executor: SqlExecutor, days: number): Promise<Chunk[]> {
  const text = `
select name, extract(epoch from range_start)::float8 * 1000 as "fromMs", extract(epoch from range_end)::float8 * 1000 as "toMs",
  coalesce(pg_relation_size(to_regclass(name)), 0)::float8 as bytes,
  coalesce(pg_stat_get_dead_tuples(to_regclass(name)), 0)::float8 as "deadRows"
from (select *, format('%I.%I', chunk_schema, chunk_name) as name from timescaledb_information.chunks) named
where hypertable_name = 'telemetry' and format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'telemetry'::regclass
  and range_end <= now() - make_interval(days => $1::int)
order by range_start`;
  return executor.query(text, [days]);
}

/** Frees the pages of a chunk without records, as far as no transaction can still see what was in them. @returns false if it has records */
export async function vacuumEmptyChunk(executor: SqlExecutor, { name }: Chunk): Promise<boolean> {
  const text = `select exists (select from ${name}) as "hasRecords"`;
  if ((await executor.query<{ hasRecords: boolean }>(text))[0]?.hasRecords !== false) return false;
  await executor.query(`vacuum ${name}`);
  return true;
}

/** @returns true if the chunk has records whose rollups are stale, and which may not be deleted yet (`staleDays`) */
export async function hasStaleRollups(executor: SqlExecutor, { fromMs, toMs }: Chunk, days: number): Promise<boolean> {
  const text = `
select to_timestamp($2::float8 / 1000) > now() - make_interval(days => $3::int) and exists (
  select from unsettled where hour >= to_timestamp($1::float8 / 1000) and hour < to_timestamp($2::float8 / 1000)) as stale`;
  return (await executor.query<{ stale: boolean }>(text, [fromMs, toMs, days + staleDays]))[0]?.stale !== false;
}

/** @returns true if a chunk has no pages */
export async function isEmptyChunk(executor: SqlExecutor, { name }: Chunk): Promise<boolean> {
  const text = "select pg_relation_size(to_regclass($1::text)) = 0 as empty";
  return (await executor.query<{ empty: boolean | null }>(text, [name]))[0]?.empty === true;
}

/** Drops a chunk. The wait for its readers is short, because others wait behind it.
 *  @returns the number of dropped chunks: 0 if it does not exist any more */
export async function dropChunk(
  transaction: SqlTransaction,
  timescaleSchema: string,
  { fromMs, toMs }: Chunk,
): Promise<number> {
  const text = `
select count(*)::int as dropped from "${timescaleSchema}".drop_chunks('telemetry',
  older_than => to_timestamp($1::float8 / 1000), newer_than => to_timestamp($2::float8 / 1000))`;
  transaction.send("set local lock_timeout = '2s'");
  return (await transaction.query<{ dropped: number }>(text, [toMs, fromMs]))[0]?.dropped ?? 0;
}

/** The same for a chunk with records. The notes that rollups are stale go with these: the rollups then count as they are. */
export async function dropOldChunk(
  transaction: SqlTransaction,
  timescaleSchema: string,
  chunk: Chunk,
): Promise<number> {
  const dropped = await dropChunk(transaction, timescaleSchema, chunk);
  const text = `
delete from unsettled where hour >= to_timestamp($1::float8 / 1000) and hour < to_timestamp($2::float8 / 1000)`;
  if (dropped > 0) transaction.send(text, [chunk.fromMs, chunk.toMs]);
  return dropped;
}
