import { describe, expect, test } from "bun:test";
import pino from "pino";
import { systemClock } from "../../../src/kit/clock.ts";
import { FleetProjection } from "../../../src/routes/fleet/fleet-projection.ts";
import { MemoryHotTier } from "../../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { makeBatch, type TestRecord } from "../../../dev/make-batch.ts";
import type { GpuSelector } from "../../../src/domain/gpu-selector.ts";
import { LiveFeed } from "../../../src/routes/live/live-feed.ts";

const startMs = Date.UTC(2025, 6, 18);

function record(uuid: string, second: number, more: Partial<TestRecord> = {}): TestRecord {
  return { uuid, timeMs: startMs + second * 1000, metrics: { temperature: 40 }, ...more };
}

const inMl = { container: "train", pod: "job", namespace: "ml" };

/** A feed over a hot tier in memory, beside a store that is empty. */
async function openFeed() {
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const store = { gpus: () => Promise.resolve([]), latest: () => Promise.resolve([]) };
  const fleet = new FleetProjection({ hotTier, store, clock: systemClock, log: pino({ level: "silent" }) });
  await fleet.start();
  const feed = new LiveFeed(fleet);
  return {
    feed,
    write: (...records: TestRecord[]) => hotTier.write(makeBatch(records)),
    /** What a subscriber hears, as `uuid@second`. */
    hear: (selector: GpuSelector) => {
      const heard: string[] = [];
      const end = feed.subscribe(selector, ({ gpu, record: { timeMs } }) => {
        heard.push(`${gpu.uuid}@${(timeMs - startMs) / 1000}`);
      });
      return { heard, end };
    },
  };
}

describe("the live feed", () => {
  test("tells of each newest record once, in order, from the subscription on", async () => {
    const { write, hear } = await openFeed();
    await write(record("a", 1));
    const { heard } = hear({});
    await write(record("a", 2), record("b", 2));
    await write(record("a", 2)); // said twice
    await write(record("a", 1)); // late
    await write(record("a", 3));
    expect(heard).toEqual(["a@2", "b@2", "a@3"]);
  });

  test("tells again of a record that got more metrics, with all of them", async () => {
    const { feed, write } = await openFeed();
    const heard: unknown[] = [];
    feed.subscribe({}, (update) => heard.push(update.record.metrics));
    await write(record("a", 1));
    await write(record("a", 1, { metrics: { power_draw: 100 } }));
    expect(heard).toEqual([{ temperature: 40 }, { temperature: 40, power_draw: 100 }]);
  });

  test("does not tell of a GPU whose attributes alone changed", async () => {
    const { write, hear } = await openFeed();
    await write(record("a", 2));
    const { heard } = hear({});
    await write(record("a", 1, { hostname: "elsewhere" })); // an earlier beginning, nothing newer
    expect(heard).toEqual([]);
  });

  test("tells only what fits", async () => {
    const { write, hear } = await openFeed();
    const heardBy = {
      one: hear({ uuids: ["a"] }),
      twice: hear({ uuids: ["a", "a", "c"] }),
      none: hear({ uuids: [] }),
      host: hear({ hostname: "host-b" }),
      cluster: hear({ clusterId: "other" }),
      namespace: hear({ namespace: "ml" }),
      gpuElsewhere: hear({ uuids: ["a"], hostname: "host-b" }),
      hostElsewhere: hear({ hostname: "host-b", clusterId: "cluster" }),
    };
    await write(
      record("a", 1),
      record("b", 1, { hostname: "host-b", clusterId: "other" }),
      record("c", 1, { workload: inMl }),
    );
    expect(Object.fromEntries(Object.entries(heardBy).map(([name, { heard }]) => [name, heard]))).toEqual({
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

  test("is silent to those who have ended, also when they end while it tells", async () => {
    const { feed, write, hear } = await openFeed();
    const first = hear({ uuids: ["a"] });
    const ends: (() => void)[] = [];
    const heard: string[] = [];
    feed.subscribe({ uuids: ["a"] }, () => ends.forEach((end) => end()));
    ends.push(feed.subscribe({ uuids: ["a"] }, ({ gpu }) => heard.push(gpu.uuid)));
    first.end();
    first.end();
    await write(record("a", 1));
    expect([first.heard, heard]).toEqual([[], []]);
  });
});
