import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type LoadedGateway, realCsv, realFigures, startLoadedGateway } from "./support/loaded-gateway.ts";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { until } from "../dev/until.ts";
import { makeDataDir } from "../dev/empty-store.ts";

// The requests that users of the former system send, from its API reference. All tests but the last need the real CSV.

const uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";
const host = "mtv5-dgx1-hgpu-032";
const cluster = "local-cluster";
const window = "start_time=2025-07-18T20:42:34Z&end_time=2025-07-18T20:42:36Z";

interface Envelope {
  readonly success: boolean;
  readonly count: number;
  readonly data: readonly Record<string, unknown>[] & Record<string, unknown>;
}

describe.skipIf(realCsv === undefined)("the API reference", () => {
  let gateway: LoadedGateway;
  beforeAll(async () => void (gateway = await startLoadedGateway()), 90_000);
  afterAll(() => gateway.stop());

  const ask = async (path: string): Promise<Envelope> => {
    const answer = await fetch(`${gateway.url}${path}`);
    expect([path, answer.status]).toEqual([path, 200]);
    return (await answer.json()) as Envelope;
  };

  const counts: [path: string, count: number][] = [
    ["/api/v1/gpus", realFigures.gpus],
    [`/api/v1/gpus/${uuid}/telemetry`, 4],
    [`/api/v1/gpus/${uuid}/telemetry?limit=50`, 4],
    [`/api/v1/gpus/${uuid}/telemetry?limit=3`, 3],
    [`/api/v1/gpus/${uuid}/telemetry?${window}&limit=100`, 3],
    ["/api/v1/clusters", 1],
    [`/api/v1/clusters/${cluster}`, 1],
    [`/api/v1/clusters/${cluster}/stats`, 1],
    [`/api/v1/clusters/${cluster}/hosts`, realFigures.hosts],
    [`/api/v1/clusters/${cluster}/hosts/${host}`, 1],
    ["/api/v1/hosts", realFigures.hosts],
    [`/api/v1/clusters/${cluster}/hosts/${host}/gpus`, 8],
    [`/api/v1/hosts/${host}/gpus`, 8],
    ["/api/v1/telemetry", 100],
    [`/api/v1/telemetry?limit=10000`, realFigures.records],
    ["/api/v1/telemetry/latest?limit=1000", realFigures.gpus],
  ];
  for (const [path, count] of counts) {
    test(`GET ${path} has the count ${count}`, async () => {
      expect(await ask(path)).toMatchObject({ success: true, count });
    });
  }

  test("a GPU of the list has the fields of the former system", async () => {
    const { data } = await ask("/api/v1/gpus");
    expect(data.find((gpu) => gpu["uuid"] === uuid)).toMatchObject({
      id: "4",
      uuid,
      hostname: expect.any(String) as string,
      name: "NVIDIA H100 80GB HBM3",
      device: "nvidia4",
      status: "active",
    });
  });

  test("a GPU's telemetry is ordered by time, and has the fields of the former system", async () => {
    const { data } = await ask(`/api/v1/gpus/${uuid}/telemetry`);
    const times = data.map(({ timestamp }) => String(timestamp));
    expect(times).toEqual([34, 35, 36, 37].map((second) => `2025-07-18T20:42:${second}Z`));
    const all = Object.assign({}, ...data) as Record<string, unknown>;
    expect(all).toMatchObject({ uuid, gpu_id: "4", gpu_utilization: 0, temperature: 28, power_draw: 73.136 });
    const [first] = data;
    expect(first?.["telemetry_id"]).toBe(`${String(first?.["hostname"])}_4_1752871354`);
    for (const field of ["timestamp", "gpu_id", "uuid", "device", "model_name", "hostname"]) {
      expect(typeof first?.[field]).toBe("string");
    }
  });

  test("the GPU and its metrics are found at its place in the hierarchy", async () => {
    const gpus = await ask("/api/v1/gpus");
    const { hostname, id } = gpus.data.find((gpu) => gpu["uuid"] === uuid) as { hostname: string; id: string };
    const place = `/api/v1/clusters/${cluster}/hosts/${hostname}/gpus/${id}`;
    expect((await ask(place)).data["uuid"]).toBe(uuid);
    expect((await ask(`${place}/metrics`)).count).toBe(4);
    expect((await ask(`${place}/metrics?${window}&limit=50`)).count).toBe(3);
  });

  test("/health has the status in .status, for jq", async () => {
    const health = (await (await fetch(`${gateway.url}/health`)).json()) as { status: string };
    expect(health.status).toBe("ok");
  });

  test("GraphQL answers a query that is posted as JSON", async () => {
    const answer = await fetch(`${gateway.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"query": "{ gpus { id uuid hostname name } }"}',
    });
    const { data } = (await answer.json()) as { data: { gpus: { uuid: string }[] } };
    expect(data.gpus.length).toBe(realFigures.gpus);
    expect(data.gpus.map((gpu) => gpu.uuid)).toContain(uuid);
  });

  test("GraphQL serves a page to a browser", async () => {
    const page = await fetch(`${gateway.url}/graphql`, { headers: { accept: "text/html" } });
    expect([page.status, page.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/html")]);
  });

  test("/ws accepts the documented subscription", async () => {
    const { received, close } = await subscribed(gateway.url, uuid);
    await until(() => received.some(({ type }) => type === "subscribed"));
    close();
    expect(received.map(({ type }) => type)).not.toContain("error");
  });

  test("the documentation has the addresses of the former system", async () => {
    const swagger = await fetch(`${gateway.url}/swagger/`);
    expect(swagger.headers.get("content-type")).toContain("text/html");
    const docs = await fetch(`${gateway.url}/docs`, { redirect: "manual" });
    expect([docs.status, docs.headers.get("location")]).toEqual([302, "/swagger/"]);
    const document = (await (await fetch(`${gateway.url}/swagger/swagger.json`)).json()) as { openapi: string };
    expect(document.openapi).toStartWith("3.0");
    expect(await (await fetch(`${gateway.url}/swagger/swagger.yaml`)).text()).toStartWith("openapi: 3.0");
  });
});

test("/ws sends the documented telemetry_update for a simulated GPU", async () => {
  const dir = await mkdtemp(join(tmpdir(), "telemetry-reference-"));
  await makeDataDir(dir);
  const pipeline = startPipeline({ DATA_DIR: dir, LOG_LEVEL: "warn" });
  const url = await urlOf(pipeline);
  const gpus = async () => ((await (await fetch(`${url}/api/v1/gpus`)).json()) as Envelope).data;
  await until(async () => (await gpus()).length > 0);
  const simulatedGpu = String((await gpus())[0]?.["uuid"]);
  const { received, close } = await subscribed(url, simulatedGpu);
  await until(() => received.filter(({ type }) => type === "telemetry_update").length > 2);
  close();
  await stopPipeline(pipeline);
  await rm(dir, { recursive: true, force: true });
  const update = received.findLast(({ type }) => type === "telemetry_update");
  expect(update).toEqual({
    type: "telemetry_update",
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/) as string,
    gpu_uuid: simulatedGpu,
    data: {
      gpu_utilization: expect.any(Number) as number,
      temperature: expect.any(Number) as number,
      power_draw: expect.any(Number) as number,
    },
  });
}, 60_000);

async function subscribed(url: string, gpu_uuid: string) {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
  const received: Record<string, unknown>[] = [];
  socket.onmessage = ({ data }) => void received.push(JSON.parse(data as string) as Record<string, unknown>);
  await new Promise((resolve) => (socket.onopen = resolve));
  const metrics = ["gpu_utilization", "temperature", "power_draw"];
  socket.send(JSON.stringify({ type: "subscribe", topic: "telemetry", filters: { gpu_uuid, metrics } }));
  return { received, close: () => socket.close() };
}
