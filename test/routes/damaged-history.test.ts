import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { Registry } from "prom-client";
import { until } from "../../dev/until.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import type { FleetQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import { DamagedHistory } from "../../src/routes/answers/costs/damaged-history.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { gpuAt, hotBatch } from "../support/hot-records.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { fleet as records, firstSecondMs, gatewayOver, openFleetStore } from "./gateway.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// What a gateway says and serves while a block of the store is damaged.

setDefaultTimeout(60_000);

const damagedUuid = "GPU-host-a-0";
const named = `the block of gpu_key ${gpuKeyOf(damagedUuid)} from ${new Date(firstSecondMs).toISOString()} cannot be read: column times: `;
const log = unshownLog();

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let whole: readonly Record<string, unknown>[];
beforeAll(async () => {
  stored = await openFleetStore();
  await new Settler(stored.client).settle(Infinity);
  whole = await stored.client.query("select gpu_key::text, from_at::text, encode(times, 'hex') as times from blocks");
});
afterAll(() => stored.close());

const repair = async (): Promise<void> => {
  for (const { gpu_key: key, from_at: from, times } of whole) {
    await stored.client.query(
      "update blocks set times = decode($3, 'hex') where gpu_key = $1::text::int8 and from_at = $2::text::timestamptz",
      [key, from, times],
    );
  }
};
beforeEach(async () => {
  await repair();
  await stored.client.query("update blocks set times = set_byte(times, 0, 255) where gpu_key = $1::text::int8", [
    String(gpuKeyOf(damagedUuid)),
  ]);
});

/** A fleet that has been read as far as `store` answers. */
async function fleetOf({ store = stored.queries.fleet, clock = new ManualClock() } = {}) {
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  await hotTier.write(
    hotBatch([{ gpu: gpuAt("host-a", 9, { clusterId: "alpha" }), timeMs: firstSecondMs, metrics: { temperature: 1 } }]),
  );
  const fleet = new FleetProjection({ hotTier, store, clock, log });
  await fleet.start();
  return { fleet, clock };
}

test("a gateway that starts has every GPU, lacks the newest record in the damaged block, and names the block until it is repaired", async () => {
  const { fleet, clock } = await fleetOf();
  const gateway = gatewayOver(stored, { fleet });
  const uuids = (await gateway.json("/api/v1/gpus")).data as { uuid: string }[];
  const all = new Set(records.map(({ gpu }) => gpu.uuid));
  expect(all.difference(new Set(uuids.map(({ uuid }) => uuid)))).toEqual(new Set());
  expect((await gateway.get("/api/v1/gpus/GPU-host-a-1")).status).toBe(200);
  expect((await gateway.get(`/api/v1/gpus/${damagedUuid}`)).status).toBe(200);
  expect((await gateway.get("/api/v1/gpus/GPU-nowhere")).status).toBe(404);
  expect(fleet.latest({}).map(({ gpu }) => gpu.uuid)).not.toContain(damagedUuid);
  expect(fleet.latest({ uuids: ["GPU-host-a-1"] })).toHaveLength(1);
  expect(fleet.error()).toStartWith(`the fleet lacks newest records that are in damaged blocks: ${named}`);
  await repair();
  await until(async () => {
    await clock.advance(30_000);
    return fleet.error() === undefined;
  });
  expect(fleet.latest({ uuids: [damagedUuid] })).toHaveLength(1);
  await fleet.stop(AbortSignal.abort());
});

test("while the store has not answered, nothing is said not to exist: 503 with the reason", async () => {
  const fail = (): Promise<never> => Promise.reject(new StoreUnavailable("the store is away"));
  const store: FleetQueries = { ...stored.queries.fleet, gpus: fail, latest: fail };
  const { fleet } = await fleetOf({ store });
  const gateway = gatewayOver(stored, { fleet });
  expect((await gateway.get("/api/v1/gpus/GPU-host-a-9")).status).toBe(200);
  const missing = ["gpus/GPU-host-a-1", "hosts/host-b/gpus", "clusters/beta", "clusters/beta/hosts/host-a"];
  for (const path of [...missing, "clusters/alpha/hosts/host-a/gpus/0"]) {
    const response = await gateway.get(`/api/v1/${path}`);
    expect([path, response.status]).toEqual([path, 503]);
    expect(await response.text()).toContain(
      "the fleet may lack GPUs and records that only the store has: the store is away",
    );
  }
  const query = '{ gpu(uuid: "GPU-host-a-1") { uuid } }';
  const answer = await gateway.get(`/graphql?query=${encodeURIComponent(query)}`);
  expect(await answer.text()).toContain("the store is away");
  await fleet.stop(AbortSignal.abort());
});

test("questions that need the damaged block fail with its name, and are counted and shown for an hour", async () => {
  const clock = new ManualClock(firstSecondMs + 7_200_000);
  const registry = new Registry();
  const damage = new DamagedHistory({ registry, clock, log });
  await damage.start();
  const gateway = gatewayOver(stored, { damage });
  const window = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T20:59:59Z";
  for (const path of [`coverage?by=host&${window}`, `gpus/${damagedUuid}/telemetry?${window}`]) {
    const response = await gateway.get(`/api/v1/${path}`);
    expect([path, response.status]).toEqual([path, 500]);
    expect(((await response.json()) as { error: unknown }).error).toMatchObject({
      code: "internal_error",
      message: "The request needs history that is damaged; an operator has to repair it (bun run db:repair)",
      details: { reason: expect.stringContaining(named) as string },
    });
  }
  await stored.client.query("update usage_hours set columns = set_byte(columns, 4, 255)");
  const usage = await gateway.get(`/api/v1/usage?${window}`);
  expect(((await usage.json()) as { error: { details: unknown } }).error.details).toEqual({
    reason: expect.stringMatching(
      /^the row of usage_hours with first_key \d+ from 2025-07-18T20:00:00.000Z cannot be read: column 0: /,
    ) as string,
  });
  expect(damage.error()).toStartWith(
    "3 questions met damaged history, which bun run db:repair (stop an embedded pipeline first) or select * from damaged_blocks() lists; the last one: ",
  );
  expect(await registry.metrics()).toContain("telemetry_damaged_history_questions_total 3");
  await clock.advance(3_600_000);
  expect(damage.error()).toBeDefined();
  await clock.advance(120_000);
  expect(damage.error()).toBeUndefined();
  await damage.stop(AbortSignal.abort());
});
