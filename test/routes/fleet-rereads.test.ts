import { expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openFleetStore } from "./gateway.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// The fleet of a gateway without etcd, which learns from the store alone what other processes have stored.

setDefaultTimeout(60_000);

test("the store is read again only after something was stored, and after an error", async () => {
  const stored = await openFleetStore();
  const { fleet: store } = stored.queries;
  const asked = { revisions: 0, reads: 0 };
  let isAway = false;
  const counted = {
    ...store,
    revision: async () => {
      asked.revisions += 1;
      if (isAway) throw new StoreUnavailable("the store is away");
      return store.revision();
    },
    gpus: (selector: object) => {
      asked.reads += 1;
      return store.gpus(selector);
    },
  };
  const clock = new ManualClock();
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const log = unshownLog();
  const fleet = new FleetProjection({ hotTier, store: counted, rereadMs: 2000, clock, log });
  await fleet.start();
  const askAgain = async (): Promise<void> => {
    const before = asked.revisions;
    await until(async () => {
      await clock.advance(2000);
      return asked.revisions > before + 1;
    });
  };
  const memoryOf = (uuid: string) => fleet.latest({ uuids: [uuid] })[0]?.metrics.memory_used_mb;
  try {
    expect(asked.reads).toBe(1);
    for (let round = 0; round < 3; round += 1) await askAgain();
    expect(asked.reads).toBe(1);

    await stored.client.query(
      "update telemetry set memory_used_mb = 77 where gpu_key = (select gpu_key from gpus where uuid = $1)",
      ["GPU-host-a-1"],
    );
    expect(memoryOf("GPU-host-a-1")).not.toBe(77);
    await askAgain();
    expect([asked.reads, memoryOf("GPU-host-a-1")]).toEqual([2, 77]);
    await askAgain();
    expect(asked.reads).toBe(2);

    isAway = true;
    await askAgain();
    expect(fleet.error()).toContain("the store is away");
    isAway = false;
    await askAgain();
    expect([asked.reads, fleet.error()]).toEqual([3, undefined]);
  } finally {
    await fleet.stop(AbortSignal.abort());
    await stored.close();
  }
});
