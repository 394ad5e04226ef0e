import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";

const dayMs = 86_400_000;
const forEver = { raw: 0, "1h": 0, usage: 0 };

/** The contract of a store's retention of history. */
export function exerciseHistoryRetention(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the contract of history retention`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    test("without a limit nothing is deleted; with one, several concurrent calls together delete older records once, but no GPU", async () => {
      const { store, queries, retention } = opened;
      const ages = [0.1, 1, 5, 30, 400];
      const records = ages.map((days) => ({
        uuid: "retained",
        timeMs: Date.now() - days * dayMs,
        metrics: { temperature: days },
      }));
      await store.ingest(messageOf("retention", makeBatch(records)));
      const storedDays = async () =>
        (await queries.history.records({ gpus: { uuids: ["retained"] }, range: allTime, limit: 10 })).elements.map(
          ({ metrics }) => metrics.temperature,
        );
      expect(await retention.deleteOlder(forEver)).toBeUndefined();
      expect(await storedDays()).toEqual([400, 30, 5, 1, 0.1]);
      const reports = await Promise.all([1, 2, 3].map(() => retention.deleteOlder({ ...forEver, raw: 14 })));
      // two records, each in a chunk of its own if there are chunks, of which each call may delete one
      const counts = reports.flatMap((text) => /^(\d) .* older than 14 days$/.exec(text ?? "")?.[1] ?? []);
      expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(2);
      expect(await storedDays()).toEqual([5, 1, 0.1]);
      expect(await retention.deleteOlder({ ...forEver, raw: 14, "1h": 100 })).toBeUndefined();
      await retention.deleteOlder({ ...forEver, raw: 3 });
      expect(await storedDays()).toEqual([1, 0.1]);
      expect(await queries.fleet.gpus({ uuids: ["retained"] })).toHaveLength(1);
    });

    test("a maintenance that ended long ago is deleted, one of yesterday and one without an end remain", async () => {
      const { inventory, retention } = opened;
      const span = (subject: { uuid?: string; hostname?: string }, days: number, toMs?: number) =>
        inventory.change({ subject, action: "maintenance", fromMs: Date.now() - days * dayMs, toMs, note: "" });
      await span({ uuid: "retained" }, 400, Date.now() - 300 * dayMs);
      const item = async (uuid: string) => (await inventory.items({ uuid, limit: 1 })).items[0];
      expect((await item("retained"))?.changedAtMs).toBeDefined();
      await retention.deleteOlder({ ...forEver, raw: 100 });
      expect((await item("retained"))?.changedAtMs).toBeUndefined();
      await span({ uuid: "retained" }, 400, Date.now() - dayMs);
      await span({ hostname: "host-a" }, 400);
      await retention.deleteOlder({ ...forEver, raw: 100 });
      expect(await item("")).toMatchObject({ state: "maintenance" });
      expect((await item("retained"))?.changedAtMs).toBeDefined();
    });
  });
}
