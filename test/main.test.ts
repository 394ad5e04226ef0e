import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../dev/until.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-main-"));
const started: PipelineProcess[] = [];
const start = (name: string, env: Record<string, string> = {}): PipelineProcess => {
  const pipeline = startPipeline({ DATA_DIR: join(dir, name), ...env });
  started.push(pipeline);
  return pipeline;
};

afterAll(async () => {
  for (const pipeline of started) await stopPipeline(pipeline, "SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

test("without an input in the settings, the pipeline serves a simulated fleet; SIGTERM ends it with status 0", async () => {
  const pipeline = start("live", { SIM_INTERVAL: "100ms" });
  const url = await urlOf(pipeline);
  const gpuCount = async (): Promise<number> =>
    ((await (await fetch(`${url}/api/v1/gpus`)).json()) as { count: number }).count;
  await until(async () => (await gpuCount()) > 0);
  expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: "ok" });
  await stopPipeline(pipeline);
  expect(pipeline.subprocess.exitCode).toBe(0);
  expect(pipeline.output()).toContain("stopped");
});

test("a second process with the same DATA_DIR names the process that uses the folder, and exits with 1", async () => {
  const first = start("shared", { ROLE: "gateway" });
  await urlOf(first);
  const second = start("shared", { ROLE: "gateway" });
  expect(await second.subprocess.exited).toBe(1);
  expect(second.output()).toContain(`process ${first.subprocess.pid}`);
  await stopPipeline(first, "SIGINT");
  expect(first.subprocess.exitCode).toBe(0);
});

test("errors in the configuration end the process with status 1 before it creates its data folder", async () => {
  const pipeline = start("faulty", { PORT: "http", BATCH_SIZE: "0" });
  expect(await pipeline.subprocess.exited).toBe(1);
  expect(pipeline.output()).toContain("PORT=http is not usable");
  expect(pipeline.output()).toContain("BATCH_SIZE=0 is not usable");
  expect(existsSync(join(dir, "faulty"))).toBe(false);
});

test("a process whose CSV file does not exist names the file, ends with status 1, and creates no data folder", async () => {
  const pipeline = start("no-file", { CSV_FILE: join(dir, "nowhere.csv") });
  expect(await pipeline.subprocess.exited).toBe(1);
  expect(pipeline.output()).toContain("nowhere.csv");
  expect(existsSync(join(dir, "no-file"))).toBe(false);
});

test("a port that is in use ends the process with status 1; the output names the port", async () => {
  const occupied = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const pipeline = start("taken", { PORT: String(occupied.port), ROLE: "gateway" });
  expect(await pipeline.subprocess.exited).toBe(1);
  expect(pipeline.output()).toContain(`127.0.0.1:${occupied.port}`);
  await occupied.stop(true);
});

test("a port that another pipeline listens on ends the process with status 1; the output names the port", async () => {
  const first = start("first", { ROLE: "gateway" });
  const { port } = new URL(await urlOf(first));
  const second = start("second", { PORT: port, ROLE: "gateway" });
  expect(await second.subprocess.exited).toBe(1);
  expect(second.output()).toContain(`127.0.0.1:${port} (HOST, PORT): the port is already in use`);
  await stopPipeline(first);
});

test("a pipeline ends with status 1 if another one, which keeps serving, has its port on a wider or narrower address", async () => {
  for (const [firstHost, secondHost] of [
    ["127.0.0.1", "0.0.0.0"],
    ["0.0.0.0", "127.0.0.1"],
  ] as const) {
    const first = start(`first on ${firstHost}`, { ROLE: "gateway", HOST: firstHost });
    const { port } = new URL(await urlOf(first));
    const second = start(`second on ${secondHost}`, { PORT: port, ROLE: "gateway", HOST: secondHost });
    expect(await second.subprocess.exited).toBe(1);
    expect(second.output()).toContain(`${secondHost}:${port} (HOST, PORT): the port is already in use`);
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
    await stopPipeline(first);
  }
});
