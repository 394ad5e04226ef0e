import { afterAll, beforeAll, expect, test } from "bun:test";
import { firstMs, fleetOf, stepMs } from "../../bench/query/data.ts";
import { storeFleet } from "../../bench/query/store-fleet.ts";
import { usageOf } from "../../bench/support/process-usage.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { startPostgres } from "../../dev/servers/postgres.ts";

// 1,600 devices with 25 metrics: 40,000 series, four times as many as a small query may have.
const [gpus, instants, metrics] = [1600, 20, 25];
const boundMebibytes = 400;

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let gateway: PipelineProcess;
beforeAll(async () => {
  postgres = await startPostgres();
  await storeFleet(postgres.url, fleetOf(gpus, instants, metrics));
  const env = { ROLE: "gateway", DATABASE_URL: postgres.url, LOG_LEVEL: "error", QUERY_TIMEOUT_SECONDS: "100" };
  gateway = startPipeline(env);
});
afterAll(async () => {
  await stopPipeline(gateway);
  await postgres.stop();
});

test("what large queries take of a gateway's memory does not grow with their number, whether they come one after another or together", async () => {
  const url = await urlOf(gateway);
  const all = encodeURIComponent('sum by (__name__) ({__name__=~".+"})');
  const endSeconds = (firstMs + instants * stepMs) / 1000 - 1;
  const path = `query_range?start=${firstMs / 1000}&end=${endSeconds}&step=60&query=${all}`;
  const ask = async (): Promise<number | undefined> => {
    const response = await fetch(`${url}/api/v1/${path}`);
    const { data } = (await response.json()) as { data?: { result: unknown[] } };
    return data?.result.length;
  };
  const peakMebibytes = (): number => Math.round(usageOf([gateway.subprocess.pid]).peakRssBytes / 2 ** 20);
  const idle = peakMebibytes();
  for (let count = 0; count < 3; count += 1) expect(await ask()).toBe(metrics);
  const afterOthers = peakMebibytes() - idle;
  expect(await Promise.all(Array.from({ length: 8 }, ask))).toEqual(Array.from({ length: 8 }, () => metrics));
  const together = peakMebibytes() - idle;
  // measured: 180 and 280; without turns and collections, 680 and 1780
  expect(afterOthers).toBeLessThan(boundMebibytes);
  expect(together).toBeLessThan(boundMebibytes);
}, 240_000);
