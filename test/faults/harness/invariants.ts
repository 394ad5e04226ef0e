import { until } from "../../../dev/until.ts";
import type { PostgresClient } from "../../../src/db/postgres-client.ts";
import type { EtcdClient } from "../../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../../src/etcd/requests.ts";
import type { QueueKeys } from "../../../src/pipeline/queue/etcd/queue-keys.ts";
import type { CheckpointKeys } from "../../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { hostOf, type Ledger, watchedSource } from "./ledger.ts";

const maxExamples = 5;

/** I1: every sample of the source is stored exactly once with its value, and every rejected row is in quarantine exactly
 *  once. */
export async function checkContent(ledger: Ledger, database: PostgresClient): Promise<string[]> {
  const wrong = await checkRecords(ledger, database);
  const quarantined = await database.query<{ byte: number }>(
    "select byte_offset::float8 as byte from quarantine order by byte_offset",
  );
  const bytes = quarantined.map(({ byte }) => byte);
  if (bytes.join() !== ledger.spoiledBytes.join()) {
    wrong.push(`I1: the ${bytes.length} rows in quarantine are not the ${ledger.spoiledBytes.length} spoiled rows`);
  }
  return wrong;
}

/** I1, for records: each is stored with its values, and no other is. */
export async function checkRecords({ records }: Pick<Ledger, "records">, database: PostgresClient): Promise<string[]> {
  const metrics = [...new Set([...records.values()].flatMap((record) => Object.keys(record)))];
  const rows = await database.query<{ key: string } & Record<string, number | null>>(
    `select g.uuid || ' ' || (extract(epoch from t.time) * 1000)::bigint as key, ${metrics.join(", ")}
     from telemetry_all t join gpus g using (gpu_key)`,
  );
  const wrong: string[] = [];
  const found = new Map(rows.map((row) => [row.key, row]));
  if (found.size !== rows.length) wrong.push(`I1: ${rows.length - found.size} records are stored twice`);
  for (const [key, record] of records) {
    for (const metric of metrics) {
      const [expected, stored] = [record[metric], found.get(key)?.[metric] ?? undefined];
      if (stored !== expected) wrong.push(`I1: ${key} ${metric} is ${stored}, the source has ${expected}`);
    }
  }
  for (const key of found.keys()) if (!records.has(key)) wrong.push(`I1: ${key} is stored, but not in the source`);
  return shortened(wrong);
}

/** I1, for the states that are derived from the records. No GPU of the source ever changes, so each GPU has one state in each
 *  table, valid from its first record, regardless of the order and number of deliveries. */
export async function checkHistory(ledger: Pick<Ledger, "records">, database: PostgresClient): Promise<string[]> {
  const firstMs = new Map<string, number>();
  for (const key of ledger.records.keys()) {
    const [uuid = "", time] = key.split(" ");
    firstMs.set(uuid, Math.min(firstMs.get(uuid) ?? Infinity, Number(time)));
  }
  const expected = [...firstMs].map(([uuid, ms]) => `${uuid} ${hostOf(Number(uuid.split("-").at(-1)))} from ${ms}`);
  const wrong: string[] = [];
  for (const [table, host] of [
    ["gpu_attributes", "s.hostname"],
    ["gpu_workloads", "g.hostname || case s.occupants when '[]' then '' else s.occupants::text end"],
  ] as const) {
    const rows = await database.query<{ state: string }>(
      `select g.uuid || ' ' || ${host} || ' from ' || (extract(epoch from s.valid_from) * 1000)::bigint as state
       from ${table} s join gpus g using (gpu_key)`,
    );
    const found = rows.map(({ state }) => state);
    wrong.push(...expected.filter((state) => !found.includes(state)).map((state) => `I1: ${table} lacks ${state}`));
    wrong.push(...found.filter((state) => !expected.includes(state)).map((state) => `I1: ${table} has ${state}`));
  }
  return shortened(wrong);
}

/** I2: no two stored messages cover the same part of the source. I1: together they cover the whole source. */
export async function checkPositions(ledger: Ledger, database: PostgresClient): Promise<string[]> {
  const ranges = await database.query<{ from: number; to: number; rows: number }>(
    `select from_offset::float8 as "from", to_offset::float8 as "to", rows from ingested_messages
     where source_id <> $1 order by from_offset, to_offset`,
    [watchedSource],
  );
  const wrong: string[] = [];
  let at = ledger.csv.indexOf("\n") + 1;
  for (const { from, to } of ranges) {
    if (from < at) wrong.push(`I2: the range ${from}-${to} begins inside another that ends at ${at}`);
    if (from > at) wrong.push(`I1: nothing stored covers ${at}-${from}`);
    at = Math.max(at, to);
  }
  if (at !== ledger.csv.length) wrong.push(`I1: nothing stored covers ${at}-${ledger.csv.length}`);
  const rows = ranges.reduce((sum, range) => sum + range.rows, 0);
  if (rows !== ledger.rows) wrong.push(`I2: the stored messages count ${rows} rows, the source has ${ledger.rows}`);
  return shortened(wrong);
}

/** The lease of a process that was killed last ends after this time at the latest. */
const lastLeaseMs = 15_000;

/** I6: after all processes have ended, etcd has no message, payload, claim, attempt, dead letter, range, range owner, planner or
 *  sign of the run.
 *  @param checkpoints  the keys under each id that the file may have */
export async function checkLeftovers(
  etcd: EtcdClient,
  queue: QueueKeys,
  checkpoints: readonly CheckpointKeys[],
): Promise<string[]> {
  const found = await checkNoKeys(etcd, queuePlaces(queue));
  for (const { ranges, owners, planner } of checkpoints) {
    found.push(...(await checkNoKeys(etcd, { ranges, "range owners": owners, planner })));
  }
  const signs = { signs: queue.signs };
  const areGone = async (): Promise<boolean> => (await checkNoKeys(etcd, signs)).length === 0;
  await until(areGone, { timeoutMs: lastLeaseMs, everyMs: 200 }).catch(() => undefined);
  return [...found, ...(await checkNoKeys(etcd, signs))];
}

/** The prefixes of a queue's keys that must not be left. */
export function queuePlaces(queue: QueueKeys): Readonly<Record<string, string>> {
  return {
    messages: queue.messages,
    payloads: queue.payloads,
    claims: queue.claims,
    attempts: queue.attempts,
    "dead letters": queue.dead,
  };
}

/** I6 for keys with these prefixes. */
export async function checkNoKeys(etcd: EtcdClient, places: Readonly<Record<string, string>>): Promise<string[]> {
  const wrong: string[] = [];
  for (const [what, prefix] of Object.entries(places)) {
    const { count, kvs } = await etcd.range({ ...prefixRange(prefix), keys_only: true });
    if (count !== "0") wrong.push(`I6: keys are left of ${what} (${count}), such as ${kvs[0]?.key.toString()}`);
  }
  return wrong;
}

/** The first violations, and the number of the others. */
export function shortened(wrong: readonly string[]): string[] {
  if (wrong.length <= maxExamples) return [...wrong];
  return [...wrong.slice(0, maxExamples), `... and ${wrong.length - maxExamples} more`];
}
