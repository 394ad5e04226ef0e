import type { SqlExecutor } from "../client.ts";
import { epochMs } from "./epoch-ms.ts";

/** The stored records of a GPU, by their instants, sorted, milliseconds since the epoch. */
export interface StoredTimes {
  readonly uuid: string;
  readonly timesMs: readonly number[];
}

// xmin is the transaction that has written a row, or a part of it that began later
const text = `
with newest as materialized (
  select max(age(m.xmin)) as age from (select xmin from ingested_messages order by age(xmin) limit $1) m)
select g.uuid, string_agg(${epochMs("t.time")}::text, ',' order by t.time) as times
from telemetry t join gpus g using (gpu_key)
where age(t.xmin) <= (select age from newest) group by g.uuid`;

/** Reads which records the newest messages have brought, in the order of storing, not in that of instants. It reads all rows that are not
 *  settled, once. */
export async function selectNewestStored(executor: SqlExecutor, messages: number): Promise<StoredTimes[]> {
  const rows = await executor.query<{ uuid: string; times: string }>(text, [messages]);
  return rows.map(({ uuid, times }) => ({ uuid, timesMs: times.split(",").map(Number) }));
}
