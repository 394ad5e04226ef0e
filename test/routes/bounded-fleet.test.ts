import { afterAll, beforeAll, expect, test } from "bun:test";
import type { GpuBounds } from "../../src/domain/gpu-bounds.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { BoundedFleet } from "../../src/routes/fleet/bounded-fleet.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { toApiRecord } from "../../src/routes/schemas/telemetry-record.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { begin, cases, ownAtEnd, stepMs, storeTeams } from "../support/two-teams.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

let whole: OpenStore;
const opened: OpenStore[] = [];
beforeAll(async () => {
  whole = await openMemoryStore();
  opened.push(whole);
  await storeTeams(whole);
});
afterAll(() => Promise.all(opened.map((store) => store.close())));

async function fleetOf({ queries }: OpenStore): Promise<FleetProjection> {
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const log = unshownLog();
  const fleet = new FleetProjection({ hotTier, store: queries.fleet, clock: systemClock, log });
  await fleet.start();
  return fleet;
}

async function boundedOf(store: OpenStore, within: GpuBounds): Promise<BoundedFleet> {
  const bounded = new BoundedFleet({
    fleet: await fleetOf(store),
    within,
    firstSeen: (within) => store.queries.fleet.firstSeen(within),
    clock: systemClock,
  });
  await bounded.ready();
  return bounded;
}

test.each(cases)("within %s, the fleet is that of a pipeline that has nothing else", async (_, within) => {
  const alone = await openMemoryStore();
  opened.push(alone);
  await storeTeams(alone, within);
  const [bounded, all] = [await boundedOf(whole, within), await fleetOf(alone)];
  // a GPU that has left is no longer within
  const uuids = ownAtEnd(within);
  const boards = all.members({}).filter(({ record }) => record === undefined);
  const expected = all.members({}).filter((member) => uuids.includes(member.gpu.uuid) || boards.includes(member));
  expect(bounded.gpus({})).toEqual(expected.map(({ gpu }) => gpu));
  expect(bounded.latest({}).map(toApiRecord)).toEqual(
    expected.flatMap(({ record }) => (record === undefined ? [] : [toApiRecord(record)])),
  );
  expect(JSON.stringify(bounded.members())).not.toContain(within.namespaces === undefined ? "north" : "team-b");
  if (within.namespaces !== undefined) expect(bounded.gpus({ namespace: "team-b" })).toEqual([]);
  expect(bounded.latest({ hostname: "w1" })).toEqual(bounded.latest({}).filter(({ gpu }) => gpu.hostname === "w1"));
  expect(bounded.member("foreign")).toBeUndefined();
});

test("a board is seen whenever an own MIG instance of it is, and an instance of others tells nothing of it", async () => {
  const store = await openMemoryStore();
  opened.push(store);
  const [board, [mine, theirs]] = ["GPU-1", ["GPU-1:mig:1:1g", "GPU-1:mig:2:1g"]];
  const held = (uuid: string, step: number, namespace: string) => ({
    ...{ uuid, timeMs: begin + step * stepMs, metrics: { temperature: step } },
    ...(namespace === "" ? {} : { workload: { container: "c", pod: "p", namespace } }),
  });
  const records = [
    held(board, 0, ""),
    held(theirs, 1, "b"),
    held(mine, 2, "a"),
    held(mine, 3, "a"),
    held(theirs, 4, "b"),
  ];
  await store.store.ingest(messageOf("mig", makeBatch(records)));
  const bounded = await boundedOf(store, { namespaces: ["a"] });
  expect(bounded.gpus({}).map(({ uuid, firstSeenAtMs, lastSeenAtMs }) => [uuid, firstSeenAtMs, lastSeenAtMs])).toEqual([
    [board, begin + 2 * stepMs, begin + 3 * stepMs],
    [mine, begin + 2 * stepMs, begin + 3 * stepMs],
  ]);
  expect(bounded.latest({}).map(({ gpu }) => gpu.uuid)).toEqual([mine]);
});

test("it knows nothing while the store has not said when the GPUs were first seen, and says so", async () => {
  const fleet = await fleetOf(whole);
  const firstSeen = () => Promise.reject(new Error("away"));
  const bounded = new BoundedFleet({ fleet, within: { clusters: ["east"] }, firstSeen, clock: systemClock });
  await bounded.ready();
  expect(bounded.isLoaded).toBe(false);
  expect(() => bounded.members()).toThrow("first seen is not known: away");
});
