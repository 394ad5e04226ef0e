import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { runTelemetry } from "./run-telemetry.ts";

// The commands clusters, stats and metrics.

let gateway: LiveGateway;
beforeAll(async () => {
  gateway = await openLiveGateway();
  const atMs = Date.UTC(2025, 6, 18, 20, 42, 34);
  const records = [30, 41].map((temperature, index) => ({
    ...{ uuid: `GPU-${index}`, timeMs: atMs, metrics: { temperature }, clusterId: "=lab\u202e", hostname: "host-a" },
  }));
  await gateway.collect(makeBatch(records));
});
afterAll(() => gateway.close());

const run = (...args: string[]) => runTelemetry(gateway.port, args);
const jsonOf = async (...args: string[]): Promise<unknown> => JSON.parse((await run(...args, "--json")).text);
const widthOf = (text: string): number => Math.max(...text.split("\n").map(({ length }) => length));

test("clusters shows the hosts and GPUs of each cluster, and how old an old fleet is", async () => {
  const { status, text, errors } = await run("clusters");
  expect([status, errors]).toEqual([0, expect.stringContaining("old (2025-07-18T20:42:34Z): active are those")]);
  expect(text).toMatch(/│ =lab\\u202e │ 1 +│ 2 +│ 2 +│ active │ \d+d +│/);
  expect(text).toContain("1 cluster\n");
  expect(widthOf(text)).toBeLessThanOrEqual(60);
  expect(await jsonOf("clusters")).toMatchObject([{ id: "=lab\u202e", host_count: 1, gpu_count: 2 }]);
  const { text: csv } = await run("clusters", "--csv");
  expect(csv.split("\n")[0]).toStartWith("id,name,host_count,gpu_count");
  // a spreadsheet would run a text that begins with =
  expect(csv.split("\n")[1]).toStartWith("'=lab\\u202e,'=lab\\u202e,1,2");
});

test("stats shows the average, maximum and sum of each metric of each cluster, or of the one that is named", async () => {
  const { text } = await run("stats");
  expect(text).toContain("hosts: 1, GPUs: 2 (active: 2), records: 2\n");
  expect(text).toMatch(/│ temperature │ 35\.5 +│ 41 +│ 71 +│ 2 +│/);
  expect(widthOf(text)).toBeLessThanOrEqual(60);
  expect(await jsonOf("stats", "=lab\u202e")).toMatchObject([{ record_count: 2, temperature: { sum: 71 } }]);
  expect((await run("stats", "--csv")).text).toBe(
    "cluster_id,metric,average,max,sum,gpu_count\n'=lab\\u202e,temperature,35.5,41,71,2\n",
  );
  const unknown = await run("stats", "none");
  expect([unknown.status, unknown.text, unknown.errors]).toEqual([
    1,
    "",
    'There is no cluster with cluster_id "none"\n',
  ]);
});

test("metrics lists the catalogue", async () => {
  const { text } = await run("metrics");
  expect(text).toMatch(/│ temperature +│ celsius +│ GPU temperature +│/);
  expect(text).toContain(`${metrics.length} metrics; `);
  expect(widthOf(text)).toBeLessThanOrEqual(80);
  expect(await jsonOf("metrics")).toHaveLength(metrics.length);
  expect((await run("metrics", "--csv")).text).toContain("\ntemperature,DCGM_FI_DEV_GPU_TEMP,150,celsius,");
});
