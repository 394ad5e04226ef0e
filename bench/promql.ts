import { parseArgs } from "node:util";
import type { CustomValue, RecordBatch } from "../src/domain/batch.ts";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { firstMs, fleetOf, stepMs } from "./query/data.ts";
import { storeFleet, storeSettledFleet } from "./query/store-fleet.ts";
import { print } from "./support/output.ts";
import { usageOf } from "./support/process-usage.ts";

// Measures queries in PromQL as dashboards have them, of a whole fleet over hours at a step of 60 s: a gateway on TimescaleDB, one record of
// 10 metrics of each GPU every 15 s. Says how long each takes, and the most memory that the gateway has had.
//
// Usage: bun bench/promql.ts [--gpus 1000] [--hours 6] [--series 5] [--raw]
//   --series  labelled series that each record has as well
//   --raw     the history is rows as they arrived; otherwise, it is settled

const { values } = parseArgs({
  options: {
    ...{ gpus: { type: "string", default: "1000" }, hours: { type: "string", default: "6" } },
    ...{ series: { type: "string", default: "0" }, raw: { type: "boolean", default: false } },
  },
});
const hours = Number(values.hours);
const metrics = 10;
const samples = ((Number(values.gpus) * hours * 3_600_000) / stepMs) * metrics;
/** The samples that a query may hold (docs/promql.md). */
const samplesMax = 5_000_000;
const util = "DCGM_FI_DEV_GPU_UTIL";
const all = '{__name__=~"DCGM_.+"}';
const queries: readonly string[] = [
  `${util}{Hostname="host-00003"}`,
  `avg(${util})`,
  `avg by (Hostname) (${util})`,
  `topk(5, DCGM_FI_DEV_GPU_TEMP)`,
  `avg_over_time(${util}[5m])`,
  `sum(DCGM_FI_DEV_FB_USED) / (sum(DCGM_FI_DEV_FB_USED) + sum(DCGM_FI_DEV_FB_FREE))`,
  ...(values.series === "0" ? [] : [`sum by (link) (LINK_BYTES)`, `topk(5, LINK_BYTES{link="0"})`]),
  ...(samples < samplesMax ? [`count(${all})`] : []),
];
/** Whatever the size of the fleet, it selects more than a query may hold. */
const tooLarge = Array.from(
  { length: Math.ceil((1.2 * samplesMax) / samples) },
  (_, nth) => `count(last_over_time(${all}[15s] offset ${nth}ms))`,
).join(" + ");

/** The batches, each with the labelled series of its records. */
function* withSeries(batches: readonly RecordBatch[]): Generator<RecordBatch> {
  const links = Array.from({ length: Number(values.series) }, (_, link) => `LINK_BYTES{link="${link}"}`);
  for (const [at, batch] of batches.entries()) {
    const custom: CustomValue[] = [];
    for (let record = 0; record < batch.recordCount; record += 1) {
      for (const [link, metric] of links.entries()) {
        custom.push({ record, metric, value: at * 1000 + ((record * 7919 + link * 104_729 + at) % 997) });
      }
    }
    yield { ...batch, custom };
  }
}

const postgres = await startPostgres();
const fleet = fleetOf(Number(values.gpus), (hours * 3_600_000) / stepMs, metrics);
await (values.raw ? storeFleet : storeSettledFleet)(postgres.url, { batches: withSeries(fleet.batches) });
const gateway = startPipeline({
  ROLE: "gateway",
  DATABASE_URL: postgres.url,
  LOG_LEVEL: "error",
  QUERY_TIMEOUT_SECONDS: "100",
});
const url = await urlOf(gateway);
const range = `start=${firstMs / 1000}&end=${firstMs / 1000 + hours * 3600}&step=60`;
const used = (pid: number): number => usageOf([pid]).cpuSeconds;
for (const query of [...queries, tooLarge]) {
  const before = [used(gateway.subprocess.pid), used(postgres.pid)] as const;
  const beganMs = performance.now();
  const response = await fetch(`${url}/api/v1/query_range?query=${encodeURIComponent(query)}&${range}`);
  const text = await response.text();
  const seconds = (performance.now() - beganMs) / 1000;
  if (query === tooLarge && !text.includes("would load more than"))
    throw new Error(`not refused: ${text.slice(0, 200)}`);
  const [ofGateway, ofDatabase] = [used(gateway.subprocess.pid) - before[0], used(postgres.pid) - before[1]];
  const memory = Math.round(usageOf([gateway.subprocess.pid]).peakRssBytes / 2 ** 20);
  const answer = response.ok ? `${Math.round(text.length / 1024)} KiB` : text.slice(0, 200);
  print(
    `${query}: ${seconds.toFixed(2)} s, ${ofGateway.toFixed(2)} s of the gateway's processor time and ${ofDatabase.toFixed(2)} s of the ` +
      `database's, at most ${memory} MiB so far; ${answer}`,
  );
}
await stopPipeline(gateway, "SIGTERM");
await postgres.stop();
process.exit(0);
