import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../../dev/pipeline-process.ts";
import { until } from "../../../dev/until.ts";
import type { TargetState } from "../../../src/pipeline/source/target-states.ts";
import { dcgmText, exposition, startExporter } from "./exporter-server.ts";
import { type ProvidedDatabase, provideDatabase } from "../../../dev/servers/provide-database.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-exporters-"));
let pipeline: PipelineProcess | undefined;
let database: ProvidedDatabase | undefined;
const exporters = [
  startExporter(exposition(dcgmText("one", 300))),
  startExporter(exposition(dcgmText("localhost", 400))),
];
afterAll(async () => {
  if (pipeline !== undefined) await stopPipeline(pipeline, "SIGKILL");
  await Promise.all(exporters.map((exporter) => exporter.close()));
  await database?.stop();
  await rm(dir, { recursive: true, force: true });
});

test("the GPUs of exporters are served under their clusters and hosts; a target that comes later is scraped, a broken file is reported", async () => {
  const [one, other] = exporters as [(typeof exporters)[0], (typeof exporters)[0]];
  const file = join(dir, "targets.json");
  const groups = [{ targets: [one.address], labels: { cluster: "prod", rack: "r1" } }];
  await writeFile(file, JSON.stringify(groups));
  database = await provideDatabase();
  pipeline = startPipeline({
    ...{ DATABASE_URL: database.url, DCGM_TARGETS_FILE: file, DCGM_INTERVAL: "1s", CLUSTER_ID: "lab" },
    ...{ DCGM_USERNAME: "scraper", DCGM_PASSWORD: "geheim" },
  });
  const url = await urlOf(pipeline);
  const read = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
  const latest = async () => ((await read("/api/v1/telemetry/latest")) as { data: Record<string, unknown>[] }).data;
  await until(async () => (await latest()).length === 2, { timeoutMs: 60_000 });
  expect((await latest())[0]).toMatchObject({
    ...{ cluster_id: "prod", hostname: "one", gpu_id: "0", power_draw: 300, gpu_utilization: 97 },
  });
  await writeFile(file, JSON.stringify([...groups, { targets: [other.address] }]));
  await until(async () => (await latest()).length === 4, { timeoutMs: 60_000 });
  const hosts = (await latest()).map(({ cluster_id: cluster, hostname }) => `${String(cluster)}/${String(hostname)}`);
  expect(hosts.filter((host) => host.startsWith("lab/"))).toHaveLength(2);
  expect(hosts).not.toContain("lab/localhost");
  const states = async () => ((await read("/api/v1/targets")) as { data: TargetState[] }).data;
  await until(async () => (await states()).length === 2, { timeoutMs: 60_000 });
  expect((await states()).map(({ state, dialect, devices }) => [state, dialect, devices])).toEqual([
    ["up", "dcgm", 2],
    ["up", "dcgm", 2],
  ]);
  await writeFile(file, "[{");
  const health = async (): Promise<string> => JSON.stringify(await read("/health"));
  await until(async () => (await health()).includes("targets.json:1: "), { timeoutMs: 60_000 });
  expect((await states()).map(({ state }) => state)).toEqual(["up", "up"]);
  expect(one.requests.at(-1)?.headers.get("authorization")).toBe(`Basic ${btoa("scraper:geheim")}`);
  await stopPipeline(pipeline);
  expect(pipeline.output()).not.toContain("geheim");
}, 180_000);
