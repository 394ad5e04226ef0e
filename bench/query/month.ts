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

/** The average of a group's values in an hour, straight from the records. */
function averageOf(hour: number, isOfGroup: (gpu: number) => boolean): number {
  let [sum, count] = [0, 0];
  for (let gpu = 0; gpu < gpus; gpu += 1) {
    if (!isOfGroup(gpu)) continue;
    for (const value of blockOf(gpu, hour).metrics.get(metric) ?? []) [sum, count] = [sum + value, count + 1];
  }
  return sum / count;
}

/** Stores the month, and prints how long its averages by the hour take, by namespace, by model and by host. The store is asked directly: an
 *  answer over HTTP has at most 10,000 rows, and the one by host has 900,000.
 *  @throws Error if an average is wrong */
export async function measureMonth(url: string, runs: number): Promise<void> {
  const { client, queries, close } = await openPostgresStore({ url, migrate: true, queryTimeoutSeconds: 60 });
  await storeMonth(client);
  const range = { fromMs, toMs: fromMs + days * 24 * hourMs };
  print(`averages by the hour over ${days} days, ${gpus * days * 24 * recordsPerHour} samples of ${gpus} GPUs`);
  const expected = {
    namespace: averageOf(5, (gpu) => (gpu + 5) % 16 === 0),
    model: averageOf(5, (gpu) => gpu % 4 === 0),
    host: averageOf(5, (gpu) => gpu < gpusPerHost),
  };
  for (const groupBy of ["namespace", "model", "host"] as const) {
    const filter = { groupBy, metrics: [metric], gpus: {}, range, resolution: "1h", limit: 1_000_000 } as const;
    const times: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const started = performance.now();
      const rows = await queries.aggregates.byGroup(filter);
      times.push(performance.now() - started);
      const first = rows.find(({ timeMs }) => timeMs === fromMs + 5 * hourMs);
      if (first?.metrics[metric]?.avg !== expected[groupBy]) throw new Error(`${groupBy}: ${JSON.stringify(first)}`);
    }
    print(`  ${groupBy.padEnd(16)} p50 ${median(times).toFixed(0)} ms`);
  }
  await close();
}
