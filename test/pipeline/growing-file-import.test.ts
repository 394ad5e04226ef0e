import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

// on a busy machine, a start takes many seconds
setDefaultTimeout(120_000);

const dir = await mkdtemp(join(tmpdir(), "telemetry-growing-"));
const started: PipelineProcess[] = [];
afterAll(async () => {
  for (const pipeline of started) await stopPipeline(pipeline, "SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

const start = (env: Record<string, string>): PipelineProcess => {
  const pipeline = startPipeline(env);
  started.push(pipeline);
  return pipeline;
};

/** The folder of a store that exists already: making one takes most of the time of a start. */
async function dataDir(name: string): Promise<string> {
  await makeDataDir(join(dir, name));
  return join(dir, name);
}

const row = (second: number, power: string): string => `2025-07-18T20:42:3${second}Z,0,GPU-0,h,${power}`;
const file = ["timestamp,gpu_id,uuid,hostname,power_draw", row(4, "100"), row(5, "400.5"), ""].join("\n");

/** Every power that the API serves, oldest first. */
async function powersOf(url: string): Promise<unknown[]> {
  const response = await fetch(`${url}/api/v1/gpus/GPU-0/telemetry?order=asc`);
  if (response.status === 404) return [];
  const { data } = (await response.json()) as { data: { power_draw?: number }[] };
  return data.map(({ power_draw: power }) => power);
}

test("a number that is written in two parts during an import is stored once, whole", async () => {
  const path = join(dir, "growing.csv");
  writeFileSync(path, file.slice(0, -"00.5\n".length));
  const pipeline = start({ CSV_FILE: path, DATA_DIR: await dataDir("growing") });
  const url = await urlOf(pipeline);
  await pipeline.waitFor(/growing\.csv ends within the row at line 3/);
  await until(async () => (await powersOf(url)).length > 0);
  expect(await powersOf(url)).toEqual([100]);
  expect(pipeline.output()).not.toContain("Imported");
  appendFileSync(path, "00.5\n");
  await pipeline.waitFor(/Imported/);
  expect(await powersOf(url)).toEqual([100, 400.5]);
  await stopPipeline(pipeline);
});

test("a number that is cut when the pipeline stops is not stored, and the next start stores the finished one", async () => {
  const path = join(dir, "stopped.csv");
  const env = { CSV_FILE: path, DATA_DIR: await dataDir("stopped") };
  writeFileSync(path, file.slice(0, -"00.5\n".length));
  const first = start(env);
  await urlOf(first);
  await first.waitFor(/stopped\.csv ends within the row at line 3/);
  await stopPipeline(first);
  appendFileSync(path, "00.5\n");
  const second = start(env);
  const url = await urlOf(second);
  await second.waitFor(/Imported/);
  expect(await powersOf(url)).toEqual([100, 400.5]);
  await stopPipeline(second);
});

test("an import of a file that was written just now and never gets a line end stores its last row", async () => {
  const path = join(dir, "endless.csv");
  writeFileSync(path, file.slice(0, -1));
  const pipeline = start({ CSV_FILE: path, DATA_DIR: await dataDir("endless") });
  const url = await urlOf(pipeline);
  await pipeline.waitFor(/Imported/);
  expect(await powersOf(url)).toEqual([100, 400.5]);
  await stopPipeline(pipeline);
});
