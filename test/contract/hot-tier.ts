import { afterEach, describe, expect, test } from "bun:test";
import { until } from "../../dev/until.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";
import type { Gpu } from "../../src/domain/gpu.ts";
import type { HotTier, NewestRecord } from "../../src/pipeline/hot/hot-tier.ts";
import { Follower, gpuAt, hotBatch, t0 } from "../support/hot-records.ts";

/** A hot tier under test. */
export interface OpenHotTier {
  readonly hotTier: HotTier;
  /** A second writer of the same hot tier; `hotTier` itself if the driver cannot be shared. */
  readonly other: HotTier;
  /** The number of records that another record superseded, or that were merged with a record of the same instant. */
  readonly coalesced: () => number;
  readonly close: () => Promise<void>;
}

/** Opens a hot tier for each test of the surrounding `describe`, and closes it and its followers afterwards. */
export function hotTierForEach(open: () => Promise<OpenHotTier>) {
  const followers: Follower[] = [];
  let opened: OpenHotTier;
  const start = async (): Promise<OpenHotTier> => (opened = await open());
  const follow = (hotTier: HotTier): Follower => {
    const follower = new Follower(hotTier);
    followers.push(follower);
    return follower;
  };
  afterEach(async () => {
    await Promise.all(followers.splice(0).map(({ stop }) => stop()));
    await opened.close();
  });
  return { start, follow };
}

/** The contract of every driver of the hot tier. */
export function exerciseHotTier(name: string, open: () => Promise<OpenHotTier>): void {
  describe(`${name} keeps the hot tier's contract`, () => {
    const { start, follow } = hotTierForEach(open);

    test("a follower receives the current state with every attribute, then a later record", async () => {
      const { hotTier } = await start();
      const workload = { container: "train", pod: "job-1", namespace: "ml" };
      const gpu = gpuAt("host a/ä%", 3, { uuid: "GPU/x y+%é", properties: { b: "2", a: "1", "long name": "ü" } });
      await hotTier.write(hotBatch([{ gpu, timeMs: t0, metrics: { temperature: 40, odd: 0.1 + 0.2 }, workload }]));
      const follower = follow(hotTier);
      const { gpu: stored, record } = await follower.newest(gpu.uuid, t0);
      expect(stored).toEqual({ ...gpu, firstSeenAtMs: t0, lastSeenAtMs: t0, reportedAtMs: t0 });
      expect(record).toEqual({
        ...{ gpu: stored, timeMs: t0, metrics: { temperature: 40 }, custom: { odd: 0.1 + 0.2 } },
        occupants: [workload],
      });
      await follower.until(() => follower.calls.length > 0);
      expect(follower.calls).toEqual(["following after a gap"]);
      await hotTier.write(hotBatch([{ gpu, timeMs: t0 + 1250, metrics: { temperature: 0 } }]));
      expect((await follower.newest(gpu.uuid, t0 + 1250)).record).toMatchObject({
        metrics: { temperature: 0 },
        occupants: [],
      });
    });

    test("a follower receives the span of a recorded write with its records, and not with those of later writes", async () => {
      const { hotTier } = await start();
      const arrived: (readonly [number, string | undefined])[] = [];
      const unfollow = hotTier.follow({
        onChanges: ({ records }) => arrived.push(...records.map((each) => [each.timeMs, each.traceparent] as const)),
        onFollowing: () => undefined,
        onInterrupted: () => undefined,
      });
      const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
      const at = (timeMs: number, metrics: Readonly<Record<string, number>>) =>
        hotBatch([{ gpu: gpuAt("traced", 0), timeMs, metrics }]);
      await hotTier.write(at(t0, { temperature: 1 }), [], traceparent);
      await until(() => arrived.some(([timeMs]) => timeMs === t0));
      // merged with the record of the recorded write
      await hotTier.write(at(t0, { power_draw: 2 }));
      await hotTier.write(at(t0 + 1, { temperature: 2 }));
      await until(() => arrived.some(([timeMs]) => timeMs === t0 + 1));
      await unfollow();
      expect(arrived).toEqual([
        [t0, traceparent],
        [t0, undefined],
        [t0 + 1, undefined],
      ]);
    });

    test("a follower is told which records of a GPU it does not receive, as a newer one of their batch supersedes them", async () => {
      const { hotTier } = await start();
      const arrived: NewestRecord[] = [];
      const unfollow = hotTier.follow({
        onChanges: ({ records }) => arrived.push(...records),
        onFollowing: () => undefined,
        onInterrupted: () => undefined,
      });
      const at = (...seconds: readonly number[]) =>
        hotBatch(
          seconds.map((second) => ({
            ...{ gpu: gpuAt("coalesced", 0, { driverVersion: `5${second % 2}` }), timeMs: t0 + second * 1000 },
            metrics: { temperature: second },
          })),
        );
      for (const batch of [at(0), at(1, 2, 3, 4), at(5)]) {
        await hotTier.write(batch);
        await until(() => arrived.some(({ timeMs }) => timeMs === batch.timesMs.at(-1)));
      }
      await unfollow();
      expect(arrived.map(({ timeMs, coalesced }) => [(timeMs - t0) / 1000, coalesced])).toEqual([
        [0, undefined],
        [4, { sinceMs: t0 + 1000, records: 3 }],
        [5, undefined],
      ]);
    });

    test("records of one instant merge across batches and writers; older records do not replace the newest one", async () => {
      const { hotTier, other } = await start();
      const gpu = gpuAt("h", 0);
      const follower = follow(hotTier);
      const write = (to: HotTier, timeMs: number, metrics: Record<string, number>): Promise<void> =>
        to.write(hotBatch([{ gpu, timeMs, metrics }]));
      await write(hotTier, t0 + 5000, { temperature: 40 });
      await write(other, t0 + 5000, { power_draw: 100, temperature: 40 });
      await write(other, t0, { temperature: 90 });
      await write(hotTier, t0 + 1000, { temperature: 91 });
      await write(hotTier, t0 + 5000, { gpu_utilization: 7 });
      const { record } = await follower.newest(gpu.uuid, t0 + 5000, 3);
      expect(record?.metrics).toEqual({ gpu_utilization: 7, temperature: 40, power_draw: 100 });
      await follower.until((members) => members.get(gpu.uuid)?.gpu.firstSeenAtMs === t0);
      expect(follower.members.get(gpu.uuid)?.gpu.lastSeenAtMs).toBe(t0 + 5000);
    });

    test("an attribute has its newest value that is not empty; an older record replaces nothing", async () => {
      const { hotTier, other } = await start();
      const follower = follow(other);
      const write = (to: HotTier, at: number, more: Partial<Gpu>): Promise<void> =>
        to.write(hotBatch([{ gpu: gpuAt("h", 1, more), timeMs: t0 + at, metrics: { temperature: at } }]));
      await write(hotTier, 1, { driverVersion: "535", properties: { job: "x", serial: "1" } });
      await write(hotTier, 100, { driverVersion: "535" });
      await write(other, 50, { driverVersion: "530", modelName: "old" });
      await write(other, 120, { driverVersion: "540", modelName: "", properties: { job: "y" } });
      await write(hotTier, 110, { driverVersion: "537" });
      await follower.newest("GPU-h-1", t0 + 120);
      expect(follower.members.get("GPU-h-1")?.gpu).toMatchObject({
        driverVersion: "540",
        modelName: "NVIDIA H100",
        firstSeenAtMs: t0 + 1,
        properties: { job: "y", serial: "1" },
      });
    });

    test("a board that moves is in its new slot, and its replacement is in the old slot", async () => {
      const { hotTier, other } = await start();
      const follower = follow(hotTier);
      const write = (to: HotTier, at: number, gpu: Gpu): Promise<void> =>
        to.write(hotBatch([{ gpu, timeMs: t0 + at, metrics: { temperature: at } }]));
      const board = { uuid: "GPU-board" };
      await write(hotTier, 1, gpuAt("h1", 0, board));
      await write(other, 10, gpuAt("h2", 5, board));
      await write(hotTier, 5, gpuAt("h1", 0, board));
      await write(other, 12, gpuAt("h1", 0, { uuid: "GPU-next" }));
      await follower.newest("GPU-next", t0 + 12);
      await follower.newest("GPU-board", t0 + 10);
      expect(follower.members.all().map(({ gpu }) => [gpu.uuid, gpu.hostname, gpu.gpuId])).toEqual([
        ["GPU-next", "h1", 0],
        ["GPU-board", "h2", 5],
      ]);
    });

    test("boards that swap slots, and boards that report the same slot at the same time, all remain in the fleet", async () => {
      const { hotTier } = await start();
      const follower = follow(hotTier);
      const [a, b] = [{ uuid: "GPU-a" }, { uuid: "GPU-b" }];
      const both = (at: number, first: number, second: number): Promise<void> =>
        hotTier.write(
          hotBatch([
            { gpu: gpuAt("h", first, a), timeMs: t0 + at, metrics: { temperature: at } },
            { gpu: gpuAt("h", second, b), timeMs: t0 + at, metrics: { temperature: at } },
          ]),
        );
      /** Waits until both boards have these indexes, because a board's record may arrive before the change of its slot. */
      const untilAt = (...places: readonly number[]): Promise<void> =>
        follower.until((members) =>
          ["GPU-a", "GPU-b"].every((uuid, index) => members.get(uuid)?.gpu.gpuId === places[index]),
        );
      await both(1, 0, 1);
      await both(2, 1, 0);
      await follower.newest("GPU-b", t0 + 2);
      await untilAt(1, 0);
      await both(3, 2, 2);
      await both(4, 2, 2);
      await follower.newest("GPU-a", t0 + 4);
      await follower.newest("GPU-b", t0 + 4);
      await untilAt(2, 2);
    });

    test("concurrent writes publish the newest record of each GPU, and older records are counted as coalesced", async () => {
      const { hotTier, coalesced } = await start();
      const follower = follow(hotTier);
      const gpus = Array.from({ length: 300 }, (_, index) => gpuAt(`h${index % 20}`, Math.floor(index / 20)));
      const batches = Array.from({ length: 10 }, (_, second) =>
        hotBatch(gpus.map((gpu) => ({ gpu, timeMs: t0 + second * 1000, metrics: { temperature: second } }))),
      );
      await Promise.all(batches.map((batch) => hotTier.write(batch)));
      await follower.until((members) => members.size === 300);
      for (const { uuid } of gpus) await follower.newest(uuid, t0 + 9000);
      expect(follower.members.all().every(({ gpu }) => gpu.firstSeenAtMs === t0)).toBe(true);
      await hotTier.write(batches[3] as RecordBatch);
      expect(coalesced()).toBeGreaterThanOrEqual(300);
      expect(follower.members.all().every(({ record }) => record?.timeMs === t0 + 9000)).toBe(true);
      await hotTier.write(hotBatch([]));
    });

    test("a follower receives nothing after it stops", async () => {
      const { hotTier } = await start();
      const follower = follow(hotTier);
      await hotTier.write(hotBatch([{ gpu: gpuAt("h", 0), timeMs: t0, metrics: { temperature: 1 } }]));
      await follower.newest("GPU-h-0", t0);
      await follower.stop();
      await hotTier.write(hotBatch([{ gpu: gpuAt("h", 0), timeMs: t0 + 1, metrics: { temperature: 1 } }]));
      const later = follow(hotTier);
      await later.newest("GPU-h-0", t0 + 1);
      expect(follower.members.get("GPU-h-0")?.record?.timeMs).toBe(t0);
    });
  });
}
