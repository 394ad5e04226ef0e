import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/kit/clock.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { gpuAt, hotBatch, t0 } from "../support/hot-records.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// A gateway's answers from memory. They are cached until the fleet changes, and a client that has an answer
// does not get it again.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let fleet: FleetProjection;
let gateway: TestGateway;
const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
const log = unshownLog();
beforeAll(async () => {
  stored = await openFleetStore();
  fleet = new FleetProjection({ hotTier, store: stored.queries.fleet, clock: systemClock, log });
  await fleet.start();
  gateway = gatewayOver(stored, { fleet });
});
afterAll(async () => {
  await fleet.stop(AbortSignal.abort());
  await stored.close();
});

const paths = [
  "/api/v1/gpus",
  "/api/v1/gpus/GPU-host-a-0",
  "/api/v1/hosts",
  "/api/v1/hosts/host-a/gpus",
  "/api/v1/clusters",
  "/api/v1/clusters/alpha",
  "/api/v1/clusters/alpha/hosts",
  "/api/v1/clusters/alpha/hosts/host-a",
  "/api/v1/clusters/alpha/hosts/host-a/gpus",
  "/api/v1/clusters/alpha/hosts/host-a/gpus/0",
  "/api/v1/telemetry/latest?limit=3",
];

const writeRecordOfGpu0 = (second: number): Promise<void> => {
  const gpu = gpuAt("host-a", 0, { clusterId: "alpha" });
  return hotTier.write(hotBatch([{ gpu, timeMs: t0 + second * 1000, metrics: { temperature: second } }]));
};

test.each(paths)("%s has an ETag, and a client with that ETag gets 304 until the answer changes", async (path) => {
  const first = await gateway.get(path);
  const etag = first.headers.get("etag") ?? "";
  expect(etag).toMatch(/^W\/"[0-9a-f]+"$/);
  expect(first.headers.get("content-type")).toBe("application/json");
  expect(first.headers.get("cache-control")).toBe("no-cache");
  const body = await first.text();
  for (const tag of [etag, `"other", ${etag.replace("W/", "")}`, "*"]) {
    const repeatedResponse = await gateway.get(path, { headers: { "if-none-match": tag } });
    expect([repeatedResponse.status, repeatedResponse.headers.get("etag"), await repeatedResponse.text()]).toEqual([
      304,
      etag,
      "",
    ]);
  }
  expect((await gateway.get(path, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
  await writeRecordOfGpu0(100 + paths.indexOf(path));
  const changed = await gateway.get(path, { headers: { "if-none-match": etag } });
  expect(changed.status).toBe(200);
  expect(await changed.text()).not.toBe(body);
});

test("another limit gives another answer", async () => {
  const counts = await Promise.all(
    [1, 2, 3].map(async (limit) => (await gateway.json(`/api/v1/telemetry/latest?limit=${limit}`)).count),
  );
  expect(counts).toEqual([1, 2, 3]);
});

test("a GPU that stops reporting while another one reports becomes silent, and its next record makes it active", async () => {
  await writeRecordOfGpu0(1000);
  const statusOf = async (uuid: string) =>
    ((await gateway.json(`/api/v1/gpus/${uuid}`)).data as { status: string }).status;
  expect(await statusOf("GPU-host-a-1")).toBe("silent");
  const gpu = gpuAt("host-a", 1, { clusterId: "alpha" });
  await hotTier.write(hotBatch([{ gpu, timeMs: t0 + 1000_000, metrics: { temperature: 1 } }]));
  expect(await statusOf("GPU-host-a-1")).toBe("active");
});

test("every request is answered, even if there are more distinct requests than the cache has room for", async () => {
  for (let limit = 1; limit <= 500; limit += 1) {
    expect(await gateway.json(`/api/v1/telemetry/latest?limit=${limit}`)).toMatchObject({ success: true });
  }
  expect(await gateway.json("/api/v1/telemetry/latest?limit=2")).toMatchObject({ count: 2 });
});
