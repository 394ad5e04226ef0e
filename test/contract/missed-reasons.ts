import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { CoverageFilter } from "../../src/domain/coverage.ts";
import type { SourceReading } from "../../src/domain/reading.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { intervalMs, minute, t0, ToldInventory } from "../support/told-inventory.ts";

const at = (intervals: number): number => t0 + intervals * intervalMs;

/** The contract of why readings are missing, where a device or target had its source for a part of the time only. */
export function exerciseMissedReasons(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} knows why readings are missing`, () => {
    let opened: OpenStore;
    let told: ToldInventory;
    beforeAll(async () => {
      opened = await open();
      told = new ToldInventory(opened);
    });
    afterAll(() => opened.close());

    const send = async (source: string, reading: Partial<SourceReading> & { readonly timeMs: number }) => {
      const batch = { ...makeBatch([]), reading: { intervalMs, outcome: "missed" as const, count: 1, ...reading } };
      await opened.store.ingest(messageOf(`${source} ${JSON.stringify(reading)}`, batch, { source }));
    };
    const counts = async (gpus: CoverageFilter["gpus"], more: Partial<CoverageFilter>) =>
      (await told.coverage(gpus, more)).map(({ expected, received, missed, maintenance }) => {
        return { expected, received, missed, maintenance };
      });

    test("a target that no list has any more ends, its devices are missed, and it is due again when it comes back", async () => {
      for (const each of [0, 1, 2]) await told.read("listed", at(each), ["listed-1"]);
      await send("listed", { timeMs: at(2) + minute, count: 0, ended: true });
      const nowMs = at(11);
      const target = { groupBy: "target" as const, nowMs };
      const none = { maintenance: 0 };
      expect(await counts({ clusterId: "listed" }, target)).toEqual([
        { ...none, expected: 3, received: 3, missed: {} },
      ]);
      expect(await counts({ clusterId: "listed" }, { nowMs })).toEqual([
        { ...none, expected: 6, received: 3, missed: { not_listed: 3 } },
        { ...none, expected: 5, received: 0, missed: { not_listed: 5 } },
      ]);
      expect(await opened.store.latestInstantMs("listed")).toBeUndefined();
      await told.read("listed", at(9), ["listed-1"]);
      expect(await counts({ clusterId: "listed" }, target)).toEqual([
        { ...none, expected: 3, received: 3, missed: {} },
        { ...none, expected: 2, received: 1, missed: { unreported: 1 } },
      ]);
      expect(await counts({ clusterId: "listed" }, { nowMs })).toEqual([
        { ...none, expected: 6, received: 3, missed: { not_listed: 3 } },
        { ...none, expected: 5, received: 1, missed: { not_listed: 3, unreported: 1 } },
      ]);
      expect(await opened.store.latestInstantMs("listed")).toBe(at(9));
    });

    test("a target whose end no streamer saw is ended by hand, and not before its last reading", async () => {
      const { targets } = opened.inventory;
      await send("scrape:hand:typo:9400", { timeMs: at(1), count: 2, reason: "dns" });
      const nowMs = at(4);
      const target = async () => {
        const rows = await told.coverage({}, { groupBy: "target", nowMs });
        return rows.filter(({ group }) => group[0] === "scrape:hand:typo:9400").map(({ missed }) => missed);
      };
      expect(await target()).toEqual([{ dns: 2, unreported: 2 }]);
      expect(await targets.end("scrape:hand:typ:9400", undefined)).toEqual({
        ...{ kind: "unknown", near: ["scrape:hand:typo:9400"] },
      });
      expect(await targets.end("scrape:hand:typo:9400", at(0))).toEqual({ kind: "has_reported", lastReadingMs: at(1) });
      const endedMs = at(2) + minute;
      expect(await targets.end("scrape:hand:typo:9400", endedMs)).toEqual({ kind: "ended", endedMs });
      expect(await target()).toEqual([{ dns: 2, unreported: 1 }]);
      expect(await targets.end("scrape:hand:typo:9400", at(1))).toEqual({ kind: "ended", endedMs: at(1) });
      expect(await target()).toEqual([{ dns: 2 }]);
    });

    test("a device that two sources report is missed for the reasons of both", async () => {
      const record = { uuid: "shared", hostname: "both", clusterId: "both", metrics: { temperature: 1 } };
      const read = async (source: string, timeMs: number) => {
        const batch = makeBatch([{ ...record, timeMs }]);
        const reading = { timeMs, intervalMs, outcome: "read" as const, count: 1 };
        await opened.store.ingest(messageOf(`${source} reads ${timeMs}`, { ...batch, reading }, { source }));
      };
      for (const each of [0, 6]) {
        await read("both-1", at(each));
        await read("both-2", at(each) + minute);
      }
      await send("both-1", { timeMs: at(3), count: 3, reason: "timeout" });
      for (const each of [1, 2, 3, 4, 5]) await read("both-2", at(each) + minute);
      for (const each of [4, 5]) await read("both-1", at(each));
      await send("both-2", { timeMs: at(7) + minute, reason: "refused" });
      await read("both-1", at(7));
      expect(await counts({ uuids: ["shared"] }, { nowMs: at(7) + minute })).toEqual([
        { expected: 12, received: 9, missed: { timeout: 3 }, maintenance: 0 },
        { expected: 4, received: 3, missed: { refused: 1 }, maintenance: 0 },
      ]);
    });

    test("what a source misses after a device has moved or ended is not charged to it, nor before it came", async () => {
      await told.read("charged", at(0), ["charged-1", "charged-2"]);
      await told.read("charged", at(1), ["charged-2"]);
      await send("charged", { timeMs: at(2), reason: "timeout" });
      await told.changed("decommission", { subject: { uuid: "charged-1" }, fromMs: at(3) });
      const ended = async () => counts({ uuids: ["charged-1"] }, { nowMs: at(5) });
      const charged = [{ expected: 3, received: 1, missed: { timeout: 1, absent: 1 }, maintenance: 0 }];
      expect(await ended()).toEqual(charged);
      await send("charged", { timeMs: at(4), count: 2, reason: "no_streamer" });
      expect(await ended()).toEqual(charged);
      await told.read("charged", at(5), ["charged-2", "charged-3"]);
      expect(await ended()).toEqual(charged);
      const [came] = await counts({ uuids: ["charged-3"] }, { nowMs: at(5) });
      expect(came).toEqual({ expected: 1, received: 1, missed: {}, maintenance: 0 });
      const [sum] = await counts({ clusterId: "charged" }, { nowMs: at(5), groupBy: "cluster" });
      expect(sum).toMatchObject({ expected: 10, received: 5, missed: { timeout: 2, no_streamer: 2, absent: 1 } });
    });

    test("maintenance excuses a target from what it missed then, and from nothing before", async () => {
      await told.read("before", at(0), ["before-1"]);
      await send("before", { timeMs: at(3), count: 3, reason: "refused" });
      await told.read("before", at(4), ["before-1"]);
      await told.changed("maintenance", { subject: { uuid: "before-1" }, fromMs: at(4) - minute, toMs: at(12) });
      const target = async (nowMs: number) => counts({ clusterId: "before" }, { nowMs, groupBy: "target" });
      expect(await target(at(4))).toEqual([{ expected: 5, received: 2, missed: { refused: 3 }, maintenance: 0 }]);
      await send("before", { timeMs: at(5), reason: "timeout" });
      expect(await target(at(5))).toEqual([{ expected: 5, received: 2, missed: { refused: 3 }, maintenance: 1 }]);
    });

    test("a device is excused from what was missed under its maintenance, and keeps the reasons of the rest", async () => {
      await told.read("rest", at(0), ["rest-1"]);
      await send("rest", { timeMs: at(3), count: 3, reason: "refused" });
      await send("rest", { timeMs: at(5), count: 2, reason: "timeout" });
      await told.changed("maintenance", { subject: { uuid: "rest-1" }, fromMs: at(2), toMs: at(4) });
      expect(await counts({ uuids: ["rest-1"] }, { nowMs: at(5) })).toEqual([
        { expected: 4, received: 1, missed: { refused: 1, timeout: 2 }, maintenance: 2 },
      ]);
    });
  });
}
