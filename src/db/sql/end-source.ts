import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { msOf } from "./source-hours.ts";

/** A query for the ids of all sources with a schedule: jumps from one id to the next in the index, because a source has a row for each hour. */
export const everySource = `
with recursive ids as (
  (select source_id from source_readings order by source_id limit 1)
  union all
  select (select r.source_id from source_readings r where r.source_id > ids.source_id order by r.source_id limit 1)
  from ids where ids.source_id is not null)
select source_id from ids where source_id is not null`;

const text = `
insert into source_ends (source_id, ended_at) values ($1, to_timestamp($2::float8 / 1000.0)) on conflict do nothing`;

/** Notes that a source with a schedule has ended: after the instant, nothing is due, until a later reading.
 *  @param endedMs milliseconds since the epoch */
export function endSource(transaction: SqlTransaction, sourceId: string, endedMs: number): void {
  transaction.send(text, [sourceId, endedMs]);
}

/** The last reading of a source with a schedule, milliseconds since the epoch; undefined if it has had none. */
export async function selectLastReading(executor: SqlExecutor, sourceId: string): Promise<number | undefined> {
  const newest = `
select ${msOf("last_at")} as "lastMs" from source_readings where source_id = $1 order by hour desc limit 1`;
  return (await executor.query<{ lastMs: number }>(newest, [sourceId]))[0]?.lastMs;
}

/** The ids of the sources with a schedule. */
export async function selectSourceIds(executor: SqlExecutor): Promise<string[]> {
  return (await executor.query<{ source_id: string }>(everySource)).map(({ source_id: id }) => id);
}
