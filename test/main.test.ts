import { afterAll, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFleetCsv } from "../dev/fleet-csv.ts";
import { until } from "../dev/until.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { smiXml } from "./pipeline/nvidia-smi/smi-xml.ts";
import { makeDataDir } from "../dev/empty-store.ts";
import { runTelemetry } from "./clients/run-telemetry.ts";
import { expectNamedParts } from "./support/expect-named-parts.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-main-"));
const started: PipelineProcess[] = [];
const start = (name: string, env: Record<string, string> = {}): PipelineProcess => {
  const pipeline = startPipeline({ DATA_DIR: join(dir, name), ...env });
  started.push(pipeline);
  return pipeline;
};
/** Starts a gateway with a store that exists already: making one takes most of the time of a start. */
async function startGateway(name: string, env: Record<string, string> = {}): Promise<PipelineProcess> {
  await makeDataDir(join(dir, name));
  return start(name, { ROLE: "gateway", ...env });
}
/** The time limit of a test that starts processes, in ms: on a busy machine, a start takes many seconds. */
const withStarts = 180_000;

afterAll(async () => {
  for (const pipeline of started) await stopPipeline(pipeline, "SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

test(
  "without an input in the settings, the pipeline serves a simulated fleet, in files for its user only; SIGTERM ends it with status 0",
  async () => {
    const pipeline = start("live", { SIM_INTERVAL: "100ms" });
    const url = await urlOf(pipeline);
    const gpuCount = async (): Promise<number> =>
      ((await (await fetch(`${url}/api/v1/gpus`)).json()) as { count: number }).count;
    await until(async () => (await gpuCount()) > 0, { timeoutMs: 60_000 });
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: "ok" });
    await expectNamedParts(url, ["history", "retention", "disk", "streamer"]);
    await stopPipeline(pipeline);
    expect(pipeline.subprocess.exitCode).toBe(0);
    expect(pipeline.output()).toContain("making the database in");
    expect(pipeline.output()).toContain("stopped");
    const made = ["", ...readdirSync(join(dir, "live"), { recursive: true, encoding: "utf8" })];
    expect(made.length).toBeGreaterThan(100);
    const open = made.filter((path) => (statSync(join(dir, "live", path)).mode & 0o077) !== 0);
    // PGlite's caches of its catalogue, in a folder that is closed to others
    expect(open.filter((path) => !path.endsWith("/pg_internal.init"))).toEqual([]);
  },
  withStarts,
);

test(
  "a machine without a usable nvidia-smi says so in /health, imports its file, and reads its GPUs once they can be read",
  async () => {
    const csv = join(dir, "beside.csv");
    await writeFleetCsv(csv, { hosts: 1, "gpus-per-host": 2, seconds: 1, seed: 1 });
    const xml = join(dir, "printed.xml");
    const settings = { CSV_FILE: csv, NVIDIA_SMI: `cat ${xml}`, NVIDIA_SMI_INTERVAL: "1s", SOURCE_HOSTNAME: "box" };
    await makeDataDir(join(dir, "smi"));
    const pipeline = start("smi", { ...settings, CLUSTER_ID: "home" });
    const url = await urlOf(pipeline);
    const read = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
    const healthOf = async (service: string) =>
      ((await read("/health")) as { components: Record<string, { reason?: string }> }).components[service]?.reason;
    await until(async () => (await healthOf("nvidia-smi")) !== undefined, { timeoutMs: 60_000 });
    expect(await healthOf("nvidia-smi")).toMatch(
      /^GPUs are not read: cat \.\.\. ended with code 1 and printed: .*printed\.xml/,
    );
    await pipeline.waitFor(/records stored\s+2/);
    expect(await healthOf("streamer")).toBeUndefined();
    await Bun.write(xml, smiXml([{ body: "<temperature><gpu_temp>45 C</gpu_temp></temperature>" }]));
    const newest = `/api/v1/telemetry/latest?hostname=box`;
    await until(async () => ((await read(newest)) as { count: number }).count === 1, { timeoutMs: 60_000 });
    expect(await read(newest)).toMatchObject({
      data: [
        { cluster_id: "home", hostname: "box", gpu_id: "0", model_name: "NVIDIA H100 80GB HBM3", temperature: 45 },
      ],
    });
    expect(await healthOf("nvidia-smi")).toBeUndefined();
    await stopPipeline(pipeline);
    expect(pipeline.subprocess.exitCode).toBe(0);
  },
  withStarts,
);

test(
  "a second process with the same DATA_DIR names the process that uses the folder, and exits with 1",
  async () => {
    const first = await startGateway("shared");
    await urlOf(first);
    const second = start("shared", { ROLE: "gateway" });
    expect(await second.subprocess.exited).toBe(1);
    expect(second.output()).toContain(`process ${first.subprocess.pid}`);
    await stopPipeline(first, "SIGINT");
    expect(first.subprocess.exitCode).toBe(0);
  },
  withStarts,
);

test(
  "a gateway that no collector serves refuses pushes, uploads, remote write and OTLP at once, with what to start",
  async () => {
    const url = await urlOf(await startGateway("alone"));
    const json = { headers: { "content-type": "application/json" }, body: "{}" };
    // the shortest text that snappy packs: an empty one
    const written = {
      headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
      body: Uint8Array.of(0),
    };
    const table = { headers: { "content-type": "text/csv" }, body: "timestamp,uuid" };
    for (const [path, sent] of [
      ["/api/v1/telemetry", json],
      ["/api/v1/csv/upload", table],
      ["/api/v1/write", written],
      ["/v1/metrics", json],
    ] as const) {
      const response = await fetch(`${url}${path}`, { method: "POST", ...sent });
      expect(await response.text()).toContain("start it with ROLE=collector,gateway");
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, null]);
    }
    const uploads = (await (await fetch(`${url}/api/v1/csv/uploads`)).json()) as object;
    expect(uploads).toMatchObject({ count: 0 });
    // the command does not wait for a gateway that will not take the file
    const csv = join(dir, "alone.csv");
    await Bun.write(csv, table.body);
    const sent = await runTelemetry(Number(new URL(url).port), ["upload", csv]);
    expect(sent.errors).toContain("start it with ROLE=collector,gateway");
    expect(sent.status).not.toBe(0);
  },
  withStarts,
);

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

test(
  "a port that is in use ends the process with status 1; the output names the port",
  async () => {
    const occupied = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const pipeline = await startGateway("taken", { PORT: String(occupied.port) });
    expect(await pipeline.subprocess.exited).toBe(1);
    expect(pipeline.output()).toContain(`127.0.0.1:${occupied.port}`);
    await occupied.stop(true);
  },
  withStarts,
);

test(
  "a pipeline ends with status 1 if another one, which keeps serving, has its port on the same, a wider or a narrower address",
  async () => {
    for (const [firstHost, ...secondHosts] of [
      ["127.0.0.1", "127.0.0.1", "0.0.0.0"],
      ["0.0.0.0", "127.0.0.1"],
    ] as const) {
      const first = await startGateway(`first on ${firstHost}`, { HOST: firstHost, AUTH: "off" });
      const { port } = new URL(await urlOf(first));
      for (const HOST of secondHosts) {
        const second = await startGateway(`${HOST} after ${firstHost}`, { PORT: port, HOST, AUTH: "off" });
        expect(await second.subprocess.exited).toBe(1);
        expect(second.output()).toContain(`${HOST}:${port} (HOST, PORT): the port is already in use`);
      }
      expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
      await stopPipeline(first);
    }
  },
  withStarts,
);
