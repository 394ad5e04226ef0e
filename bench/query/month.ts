import type { SqlClient } from "../../src/db/client.ts";
import { textArray } from "../../src/db/sql/array-literal.ts";
import { copyRollups } from "../../src/db/sql/rollups.ts";
import type { Block } from "../../src/domain/block/block.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { rollUp } from "../../src/domain/rollup/roll-up.ts";
import { packRollup } from "../../src/domain/rollup/rollup.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { print } from "../support/output.ts";
import { median } from "../support/statistics.ts";

// A month of a large fleet, settled: one metric every two minutes. The summaries of its hours are made from blocks as settling makes them,
// and stored by COPY. Every day is like the first one.

const gpus = 10_000;
const days = 30;
const gpusPerHost = 8;
const gpusPerRollup = 500;
const recordsPerHour = 30;
const hourMs = 3_600_000;
const fromMs = Date.UTC(2026, 0, 1);
const metric = "gpu_utilization";

const fleet = Array.from({ length: gpus }, (_, index) => {
  const uuid = `GPU-month-${index}`;
  return { index, uuid, gpuKey: gpuKeyOf(uuid) };
}).sort((a, b) => a.gpuKey - b.gpuKey);

function blockOf(gpu: number, hour: number): Block {
  const records = Array.from({ length: recordsPerHour }, (_, record) => record);
  const namespace = `team-${(gpu + hour) % 16}`;
  return {
    timesMs: Float64Array.from(records, (record) => record * 120_000),
    metrics: new Map([
      [metric, Float64Array.from(records, (record) => (gpu * 31 + hour * 7 + record * record * 13) % 101)],
    ]),
    others: new Map(),
    runs: [{ records: recordsPerHour, attributesId: 1, occupants: [{ container: "c", pod: "p", namespace }] }],
  };
}

async function storeMonth(client: SqlClient): Promise<void> {
  const uuids = textArray(fleet.map(({ uuid }) => uuid));
  const keys = `{${fleet.map(({ gpuKey }) => gpuKey).join()}}`;
  const indexes = `{${fleet.map(({ index }) => index).join()}}`;
  const attributes = `'month' as cluster_id, 'host-' || i / ${gpusPerHost} as hostname, i % ${gpusPerHost} as gpu_id, '' as device,
    'model-' || i % 4 as model_name, '' as driver_version, '{}'::jsonb as properties`;
  const from = "from unnest($1::text::text[], $2::text::int8[], $3::text::int[]) as u(uuid, gpu_key, i)";
  const columns = "cluster_id, hostname, gpu_id, device, model_name, driver_version, properties";
  const at = `to_timestamp(${fromMs / 1000})`;
  await client.query(
    `insert into gpus (gpu_key, uuid, first_seen_at, last_seen_at, ${columns}) select gpu_key, uuid, ${at}, ${at} + interval '${days} days', ${attributes} ${from}`,
    [uuids, keys, indexes],
  );
  await client.query(
    `insert into gpu_attributes (gpu_key, valid_from, ${columns}) select gpu_key, ${at}, ${attributes} ${from}`,
    [uuids, keys, indexes],
  );
  for (let hour = 0; hour < 24; hour += 1) {
    for (let first = 0; first < gpus; first += gpusPerRollup) {
      const some = fleet.slice(first, first + gpusPerRollup);
      const packed = packRollup(rollUp(some.map(({ gpuKey, index }) => ({ gpuKey, block: blockOf(index, hour) }))));
      const ends = { firstKey: some[0]?.gpuKey ?? NaN, lastKey: some.at(-1)?.gpuKey ?? NaN };
      const ofDays = Array.from({ length: days }, (_, day) => ({
        ...packed,
        ...ends,
        hour: fromMs + (day * 24 + hour) * hourMs,
      }));
      await client.transaction((transaction) => copyRollups(transaction, ofDays));
    }
  }
  await client.query("analyze rollups");
}

/** The average of a group's values in some hours, straight from the records. */
function averageOf(hours: readonly number[], isOfGroup: (gpu: number, hour: number) => boolean): number {
  let [sum, count] = [0, 0];
  for (const hour of hours) {
    for (let gpu = 0; gpu < gpus; gpu += 1) {
      if (!isOfGroup(gpu, hour)) continue;
      for (const value of blockOf(gpu, hour).metrics.get(metric) ?? []) [sum, count] = [sum + value, count + 1];
    }
  }
  return sum / count;
}

const groupings = {
  namespace: { name: "team-0", isOf: (gpu: number, hour: number) => (gpu + hour) % 16 === 0 },
  model: { name: "model-0", isOf: (gpu: number) => gpu % 4 === 0 },
  host: { name: "host-0", isOf: (gpu: number) => gpu < gpusPerHost },
};
const resolutions = {
  "1h": { fromMs: fromMs + 5 * hourMs, hours: [5] },
  "1d": { fromMs, hours: Array.from({ length: 24 }, (_, hour) => hour) },
};

/** Stores the month, and prints how long its averages by the hour and by the day take, by namespace, by model and by host. The store is
 *  asked directly: an answer over HTTP has at most 100,000 rows, and the one by host and hour has 900,000.
 *  @throws Error if an average is wrong */
export async function measureMonth(url: string, runs: number): Promise<void> {
  const { client, queries, close } = await openPostgresStore({ url, migrate: true, queryTimeoutSeconds: 60 });
  await storeMonth(client);
  const range = { fromMs, toMs: fromMs + days * 24 * hourMs };
  print(`averages over ${days} days, ${gpus * days * 24 * recordsPerHour} samples of ${gpus} GPUs`);
  for (const groupBy of ["namespace", "model", "host"] as const) {
    for (const resolution of ["1h", "1d"] as const) {
      const filter = { groupBy, metrics: [metric], gpus: {}, range, resolution, limit: 1_000_000, withExpected: true };
      const { name, isOf } = groupings[groupBy];
      const bucket = resolutions[resolution];
      const expected = averageOf(bucket.hours, isOf);
      const times: number[] = [];
      let count = 0;
      for (let run = 0; run < runs; run += 1) {
        const started = performance.now();
        const rows = await queries.aggregates.byGroup(filter);
        times.push(performance.now() - started);
        const found = rows.find(({ timeMs, group }) => timeMs === bucket.fromMs && Object.values(group).includes(name));
        if (found?.metrics[metric]?.avg !== expected) throw new Error(`${groupBy}: ${JSON.stringify(found)}`);
        count = rows.length;
      }
      print(`  ${groupBy.padEnd(9)} ${resolution} p50 ${median(times).toFixed(0)} ms, ${count} rows`);
    }
  }
  await close();
}
