import { describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/kit/clock.ts";
import { FleetProjection } from "../../../src/routes/fleet/fleet-projection.ts";
import { MemoryHotTier } from "../../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { makeBatch, type TestRecord } from "../../../dev/make-batch.ts";
import type { GpuSelector } from "../../../src/domain/gpu-selector.ts";
import { LiveFeed } from "../../../src/routes/live/live-feed.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

const startMs = Date.UTC(2025, 6, 18);

function record(uuid: string, second: number, more: Partial<TestRecord> = {}): TestRecord {
  return { uuid, timeMs: startMs + second * 1000, metrics: { temperature: 40 }, ...more };
}

const inMl = { container: "train", pod: "job", namespace: "ml" };

async function openFeed() {
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const store = {
    gpus: () => Promise.resolve([]),
    latest: () => Promise.resolve([]),
    revision: () => Promise.resolve(""),
  };
  const fleet = new FleetProjection({ hotTier, store, clock: systemClock, log: unshownLog() });
  await fleet.start();
  const feed = new LiveFeed(fleet);
  return {
    feed,
    write: (...records: TestRecord[]) => hotTier.write(makeBatch(records)),
    /** Subscribes, and collects the updates as `uuid@second`. */
    listen: (selector: GpuSelector) => {
      const received: string[] = [];
      const end = feed.subscribe(selector, ({ gpu, record: { timeMs } }) => {
        received.push(`${gpu.uuid}@${(timeMs - startMs) / 1000}`);
      });
      return { received, end };
    },
  };
}

describe("the live feed", () => {
  test("publishes each newest record that arrives after the subscription, once and in order", async () => {
    const { write, listen } = await openFeed();
    await write(record("a", 1));
    const { received } = listen({});
    await write(record("a", 2), record("b", 2));
    await write(record("a", 2)); // the same record again
    await write(record("a", 1)); // an older record
    await write(record("a", 3));
    expect(received).toEqual(["a@2", "b@2", "a@3"]);
  });

  test("publishes a record again, with all its metrics, when more of them arrive", async () => {
    const { feed, write } = await openFeed();
    const received: unknown[] = [];
    feed.subscribe({}, (update) => received.push(update.record.metrics));
    await write(record("a", 1));
    await write(record("a", 1, { metrics: { power_draw: 100 } }));
    expect(received).toEqual([{ temperature: 40 }, { temperature: 40, power_draw: 100 }]);
  });

  test("publishes nothing if a record changes only the time at which a GPU was first seen", async () => {
    const { write, listen } = await openFeed();
    await write(record("a", 2));
    const { received } = listen({});
    await write(record("a", 1, { hostname: "elsewhere" })); // an earlier first record, but no newer one
    expect(received).toEqual([]);
  });

  test("publishes only updates of selected GPUs", async () => {
    const { write, listen } = await openFeed();
    const subscribers = {
      one: listen({ uuids: ["a"] }),
      twice: listen({ uuids: ["a", "a", "c"] }),
      none: listen({ uuids: [] }),
      host: listen({ hostname: "host-b" }),
      cluster: listen({ clusterId: "other" }),
      namespace: listen({ namespace: "ml" }),
      gpuElsewhere: listen({ uuids: ["a"], hostname: "host-b" }),
      hostElsewhere: listen({ hostname: "host-b", clusterId: "cluster" }),
    };
    await write(
      record("a", 1),
      record("b", 1, { hostname: "host-b", clusterId: "other" }),
      record("c", 1, { workload: inMl }),
    );
    expect(Object.fromEntries(Object.entries(subscribers).map(([name, { received }]) => [name, received]))).toEqual({
      one: ["a@1"],
      twice: ["a@1", "c@1"],
      none: [],
      host: ["b@1"],
      cluster: ["b@1"],
      namespace: ["c@1"],
      gpuElsewhere: [],
      hostElsewhere: [],
    });
  });

  test("does not call a listener that has unsubscribed, even if it unsubscribes while the update is being published", async () => {
    const { feed, write, listen } = await openFeed();
    const first = listen({ uuids: ["a"] });
    const ends: (() => void)[] = [];
    const received: string[] = [];
    feed.subscribe({ uuids: ["a"] }, () => ends.forEach((end) => end()));
    ends.push(feed.subscribe({ uuids: ["a"] }, ({ gpu }) => received.push(gpu.uuid)));
    first.end();
    first.end();
    await write(record("a", 1));
    expect([first.received, received]).toEqual([[], []]);
  });
});
