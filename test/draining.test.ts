import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { makeDataDir } from "../dev/empty-store.ts";
import { until } from "../dev/until.ts";

// on a busy machine, a start takes many seconds
setDefaultTimeout(120_000);

const dir = await mkdtemp(join(tmpdir(), "telemetry-draining-"));
const started: PipelineProcess[] = [];
/** Starts a process with a store that exists already: making one takes most of the time of a start. */
async function start(env: Record<string, string>): Promise<PipelineProcess> {
  const dataDir = join(dir, String(started.length));
  await makeDataDir(dataDir);
  const pipeline = startPipeline({ DATA_DIR: dataDir, ...env });
  started.push(pipeline);
  return pipeline;
}

afterAll(async () => {
  for (const pipeline of started) await stopPipeline(pipeline, "SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

const readiness = async (url: string) => {
  const response = await fetch(`${url}/health/ready`);
  return [response.status, ((await response.json()) as { reasons: string[] }).reasons];
};
const closeCode = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => (socket.onclose = ({ code }) => resolve(code)));
const isOpened = (socket: WebSocket): Promise<boolean> =>
  new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });

test("a process that drains is not ready, but serves requests on connections that it closes, and sockets until it stops", async () => {
  const pipeline = await start({ ROLE: "all", SHUTDOWN_DRAIN_SECONDS: "3" });
  const url = await urlOf(pipeline);
  await until(async () => (await readiness(url))[0] === 200);
  expect((await fetch(`${url}/api/v1/gpus`)).headers.get("connection")).not.toBe("close");
  const sockets = [new WebSocket(`${url}/ws`)];
  const signalledAtMs = performance.now();
  pipeline.subprocess.kill("SIGTERM");
  await until(async () => (await readiness(url))[0] === 503);
  expect(performance.now() - signalledAtMs).toBeLessThan(1000);
  expect(await readiness(url)).toEqual([503, ["the process is about to stop"]]);
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  const body = JSON.stringify({ query: "{ gpus(limit: 1) { uuid } }" });
  const graphql = () =>
    fetch(`${url}/graphql`, { method: "POST", headers: { "content-type": "application/json" }, body });
  const responses = [await fetch(`${url}/api/v1/gpus`), await fetch(`${url}/api/v1/nothing`), await graphql()];
  expect(responses.map(({ status, headers }) => [status, headers.get("connection")])).toEqual([
    [200, "close"],
    [404, "close"],
    [200, "close"],
  ]);
  sockets.push(new WebSocket(`${url}/ws`));
  expect(await Promise.all(sockets.slice(1).map(isOpened))).toEqual([true]);
  expect(await Promise.all(sockets.map(closeCode))).toEqual([1012, 1012]);
  expect(performance.now() - signalledAtMs).toBeGreaterThan(2900);
  expect(await pipeline.subprocess.exited).toBe(0);
  expect(performance.now() - signalledAtMs).toBeLessThan(10_000);
}, 60_000);

test("a second signal ends a process that drains at once", async () => {
  const pipeline = await start({ ROLE: "gateway", SHUTDOWN_DRAIN_SECONDS: "20" });
  const url = await urlOf(pipeline);
  pipeline.subprocess.kill("SIGTERM");
  await until(async () => (await readiness(url))[0] === 503);
  // sooner, it would count as a copy of the first one, which `bun run` passes on
  await Bun.sleep(400);
  pipeline.subprocess.kill("SIGTERM");
  expect(await pipeline.subprocess.exited).toBe(130);
}, 60_000);

test("draining that would leave no time to finish work is an error of the configuration", async () => {
  const pipeline = await start({ SHUTDOWN_DRAIN_SECONDS: "5", SHUTDOWN_TIMEOUT_SECONDS: "5" });
  expect(await pipeline.subprocess.exited).toBe(1);
  expect(pipeline.output()).toContain("SHUTDOWN_DRAIN_SECONDS=5 is not below SHUTDOWN_TIMEOUT_SECONDS=5");
}, 60_000);
