import { parseArgs } from "node:util";
import { memoryBytes, usageOf } from "./support/process-usage.ts";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { firstMs, fleetOf, stepMs } from "./query/data.ts";
import { storeFleet } from "./query/store-fleet.ts";
import { print } from "./support/output.ts";

// Measures the memory of a gateway under queries in PromQL of very many series, one after another and four at a time: a new gateway for each
// query, on TimescaleDB, with rows as they arrived.
//
// Usage: bun bench/promql-memory.ts [--gpus 5000] [--metrics 25] [--instants 40]
//   --instants  records of each GPU, every 15 s

const { values } = parseArgs({
  options: {
    ...{ gpus: { type: "string", default: "5000" }, instants: { type: "string", default: "40" } },
    ...{ metrics: { type: "string", default: "25" } },
  },
});
const instants = Number(values.instants);
const endSeconds = (firstMs + instants * stepMs) / 1000 - 1;
const instant = (query: string): string => `query?time=${endSeconds}&query=${encodeURIComponent(query)}`;
const range = (query: string, stepSeconds: number): string =>
  `query_range?start=${firstMs / 1000}&end=${endSeconds}&step=${stepSeconds}&query=${encodeURIComponent(query)}`;
const all = '{__name__=~".+"}';
const paths = [
  instant(`count(${all})`),
  instant(`sum by (UUID) (${all})`),
  range(`sum by (__name__) (${all})`, 60),
  range("DCGM_FI_DEV_GPU_UTIL", 15),
  instant('{__name__=~"DCGM_FI_DEV_[A-G].+"}'),
];

const postgres = await startPostgres();
await storeFleet(postgres.url, fleetOf(Number(values.gpus), instants, Number(values.metrics)));
for (const path of paths) {
  const env = { ROLE: "gateway", DATABASE_URL: postgres.url, LOG_LEVEL: "error", QUERY_TIMEOUT_SECONDS: "100" };
  const gateway = startPipeline(env);
  const url = await urlOf(gateway);
  const { pid } = gateway.subprocess;
  const memory = (): string =>
    `${Math.round(memoryBytes([pid]) / 2 ** 20)} MiB, at most ${Math.round(usageOf([pid]).peakRssBytes / 2 ** 20)} so far`;
  const ask = async (): Promise<string> => {
    const response = await fetch(`${url}/api/v1/${path}`);
    const text = await response.text();
    return response.ok ? `${Math.round(text.length / 1024)} KiB` : text.slice(0, 200);
  };
  print(`${path}\n  idle: ${memory()}`);
  for (const [count, atATime] of [
    [1, 1],
    [2, 1],
    [7, 1],
    [8, 4],
  ] as const) {
    const [beganMs, before] = [performance.now(), usageOf([pid]).cpuSeconds];
    const answers = new Set<string>();
    for (let asked = 0; asked < count; asked += atATime) {
      for (const answer of await Promise.all(Array.from({ length: atATime }, ask))) answers.add(answer);
    }
    const seconds = ((performance.now() - beganMs) / 1000 / count).toFixed(2);
    const processor = ((usageOf([pid]).cpuSeconds - before) / count).toFixed(2);
    print(
      `  ${count} more, ${atATime} at a time: ${memory()}; ${seconds} s each, ${processor} s of the gateway's processor time; ${[...answers].join(", ")}`,
    );
  }
  await stopPipeline(gateway);
}
await postgres.stop();
process.exit(0);
