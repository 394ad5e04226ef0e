import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";

const dayMs = 86_400_000;
const forEver = { raw: 0, "1m": 0, "1h": 0 };

/** How a store deletes old history. */
export function exerciseHistoryRetention(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} deletes history when it is told to`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    test("nothing by default; then what is older, once however many are at it, and no GPU", async () => {
      const { store, queries, retention } = opened;
      const ages = [0.1, 1, 5, 30, 400];
      const records = ages.map((days) => ({
        uuid: "kept",
        timeMs: Date.now() - days * dayMs,
        metrics: { temperature: days },
      }));
      await store.ingest(messageOf("retention", makeBatch(records)));
      const kept = async () =>
        (await queries.history.records({ gpus: { uuids: ["kept"] }, range: allTime, limit: 10 })).elements.map(
          ({ metrics }) => metrics.temperature,
        );
      expect(await retention.deleteOlder(forEver)).toBeUndefined();
      expect(await kept()).toEqual([400, 30, 5, 1, 0.1]);
      const told = await Promise.all([1, 2, 3].map(() => retention.deleteOlder({ ...forEver, raw: 14 })));
      expect(told.filter((text) => text !== undefined).join()).toContain("older than 14 days");
      expect(await kept()).toEqual([5, 1, 0.1]);
      expect(await retention.deleteOlder({ ...forEver, raw: 14, "1m": 100, "1h": 100 })).toBeUndefined();
      await retention.deleteOlder({ ...forEver, raw: 3 });
      expect(await kept()).toEqual([1, 0.1]);
      expect(await queries.fleet.gpus({ uuids: ["kept"] })).toHaveLength(1);
    });
  });
}
