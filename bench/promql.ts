import { parseArgs } from "node:util";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { firstMs, fleetOf, stepMs } from "./query/data.ts";
import { storeSettledFleet } from "./query/store-fleet.ts";
import { print } from "./support/output.ts";
import { usageOf } from "./support/process-usage.ts";

// Measures queries in PromQL as dashboards have them, of a whole fleet over hours at a step of 60 s: a gateway on TimescaleDB with settled
// history, one record of 10 metrics of each GPU every 15 s. Says how long each takes, and the most memory that the gateway has had.
//
// Usage: bun bench/promql.ts [--gpus 1000] [--hours 6]

const { values } = parseArgs({
  options: { gpus: { type: "string", default: "1000" }, hours: { type: "string", default: "6" } },
});
const hours = Number(values.hours);
const util = "DCGM_FI_DEV_GPU_UTIL";
const queries: readonly string[] = [
  `${util}{Hostname="host-00003"}`,
  `avg(${util})`,
  `avg by (Hostname) (${util})`,
  `topk(5, DCGM_FI_DEV_GPU_TEMP)`,
  `avg_over_time(${util}[5m])`,
  `sum(DCGM_FI_DEV_FB_USED) / (sum(DCGM_FI_DEV_FB_USED) + sum(DCGM_FI_DEV_FB_FREE))`,
  // of 1,000 GPUs over 6 hours, more samples than a query may hold: it is refused
  `count({__name__=~"DCGM_.+"})`,
];

const postgres = await startPostgres();
await storeSettledFleet(postgres.url, fleetOf(Number(values.gpus), (hours * 3_600_000) / stepMs, 10));
const gateway = startPipeline({ ROLE: "gateway", DATABASE_URL: postgres.url, LOG_LEVEL: "error" });
const url = await urlOf(gateway);
const range = `start=${firstMs / 1000}&end=${firstMs / 1000 + hours * 3600}&step=60`;
for (const query of queries) {
  const before = usageOf([gateway.subprocess.pid]).cpuSeconds;
  const beganMs = performance.now();
  const response = await fetch(`${url}/api/v1/query_range?query=${encodeURIComponent(query)}&${range}`);
  const text = await response.text();
  const seconds = (performance.now() - beganMs) / 1000;
  const { cpuSeconds, peakRssBytes } = usageOf([gateway.subprocess.pid]);
  const answer = response.ok ? `${Math.round(text.length / 1024)} KiB` : text.slice(0, 200);
  print(
    `${query}: ${seconds.toFixed(2)} s, ${(cpuSeconds - before).toFixed(2)} s of the gateway's processor time, at most ` +
      `${Math.round(peakRssBytes / 2 ** 20)} MiB so far; ${answer}`,
  );
}
await stopPipeline(gateway, "SIGTERM");
await postgres.stop();
process.exit(0);
