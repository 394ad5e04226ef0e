import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { msOf } from "./source-hours.ts";

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
