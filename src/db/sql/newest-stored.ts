import type { SqlExecutor } from "../client.ts";
import { epochMs } from "./epoch-ms.ts";

/** The stored records of a GPU, by their instants, sorted, milliseconds since the epoch. */
export interface StoredTimes {
  readonly uuid: string;
  readonly timesMs: readonly number[];
}

interface StoredRow {
  readonly uuid: string;
  readonly times: string;
  readonly count: number;
}

/** A message has at most about so many records. */
const recordsOfMessage = 20_000;

// xmin is the transaction that has written a row, or a part of it that began later. A GPU is complete if the stored reports are those of its
// records, and it has no workloads: its records are not read.
const text = `
with newest as materialized (
  select max(age(m.xmin)) as age from (select xmin from ingested_messages order by age(xmin) limit $1) m),
t as materialized (
  select gpu_key, time, attributes_id, num_nonnulls(container, pod, namespace, occupants) > 0 as is_held
  from telemetry where age(xmin) <= (select age from newest) limit $2),
incomplete as materialized (
  select distinct t.gpu_key from t
  left join lateral (
    select attributes_id from gpu_reports where gpu_key = t.gpu_key and valid_from <= t.time order by valid_from desc limit 1) r on true
  left join lateral (
    select occupants::text from gpu_workloads where gpu_key = t.gpu_key and valid_from <= t.time order by valid_from desc limit 1) w on true
  where t.is_held or r.attributes_id is distinct from t.attributes_id or w.occupants is distinct from '[]')
select g.uuid, string_agg(${epochMs("t.time")}::text, ',' order by t.time) as times, (select count(*)::int from t) as count
from t join incomplete using (gpu_key) join gpus g using (gpu_key) group by g.uuid`;

/** Reads which records the newest messages have brought, in the order of storing, not in that of instants. It reads all rows that are not
 *  settled, once.
 *  @returns an empty list if there are more records than messages can have: something else has written them, such as a restore */
export async function selectNewestStored(executor: SqlExecutor, messages: number): Promise<StoredTimes[]> {
  const maxRecords = messages * recordsOfMessage;
  const rows = await executor.query<StoredRow>(text, [messages, maxRecords + 1]);
  if ((rows[0]?.count ?? 0) > maxRecords) return [];
  return rows.map(({ uuid, times }) => ({ uuid, timesMs: times.split(",").map(Number) }));
}
