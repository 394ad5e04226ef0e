import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import type { RejectedInput } from "../../src/domain/batch.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import type { IngestMessage, IngestResult } from "../../src/pipeline/store/telemetry-store.ts";

const t0 = Date.UTC(2025, 6, 18, 20, 42, 34);

const rejection: RejectedInput = {
  ...{ line: 3, byte: 7, reason: "invalid_value", field: "value", value: "x", message: "no number", raw: "raw" },
};

/** Messages of two sources, of which some share records. Names begin with `name`, so that they can be stored more than once. */
function mixedMessages(name: string): IngestMessage[] {
  const record = (gpu: number, second: number, more: Partial<TestRecord> = {}): TestRecord => {
    const metrics = { temperature: gpu + second, [`odd_${second % 2}`]: second };
    return { uuid: `${name}-${gpu}`, timeMs: t0 + second * 1000, metrics, ...more };
  };
  const workload = { container: "c", pod: "later", namespace: "n" };
  const batches = [
    makeBatch([record(0, 0), record(1, 0)]),
    makeBatch([record(1, 1), record(0, 1)], [rejection]),
    makeBatch([record(0, 2, { metrics: { power_draw: 73.136, sm_clock_mhz: 1980 } }), record(0, 3, { workload })]),
    // a record of the first message, with one value that differs
    makeBatch([record(0, 0, { metrics: { temperature: 99, power_draw: 1 } }), record(2, 0, { workload })]),
    makeBatch([], [{ ...rejection, byte: 8 }]),
    // two values of one series
    makeBatch([record(3, 5), record(3, 5, { metrics: { temperature: 1000 } })]),
    // another host has reported this GPU at the instant
    makeBatch([record(2, 0, { hostname: "host-b" }), record(2, 1, { driverVersion: "550" })]),
  ];
  return batches.map((batch, index) =>
    messageOf(`${name}-m${index}`, batch, { source: `${name}-${index % 2}`, from: index, to: index + 1 }),
  );
}

async function contentOf({ queries, store }: OpenStore, name: string) {
  const uuids = [0, 1, 2, 3].map((gpu) => `${name}-${gpu}`);
  const { elements } = await queries.history.records({ gpus: { uuids }, range: allTime, limit: 100 });
  const gpus = await queries.fleet.gpus({ uuids });
  const progress = await Promise.all([0, 1].map((source) => store.progressOf(`${name}-${source}`)));
  const rejections = await Promise.all(
    [0, 1].map((source) => queries.quarantine.rejections({ sourceId: `${name}-${source}`, limit: 100 })),
  );
  const nameless = JSON.stringify([elements, gpus, progress]).replaceAll(name, "");
  return { content: JSON.parse(nameless) as unknown, rejected: rejections.flat().length };
}

/** The contract of messages that wait for the store at the same time. */
export function exerciseStoredTogether(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} stores messages together`, () => {
    let opened: OpenStore;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    test("messages that are stored together leave what they leave when they are stored one after another", async () => {
      const { store } = opened;
      for (const message of mixedMessages("one")) await store.ingest(message);
      const together = await Promise.all(mixedMessages("all").map((message) => store.ingest(message)));
      const { content, rejected } = await contentOf(opened, "all");
      const expected = await contentOf(opened, "one");
      expect(withoutVersions(content)).toEqual(withoutVersions(expected.content));
      expect(rejected).toBe(expected.rejected);
      expect(together.map(({ duplicate }) => duplicate)).toEqual(together.map(() => false));
    });

    test("each message has its own counts, however many are stored together, new or known", async () => {
      const { store } = opened;
      const batchOf = (index: number, metric: string) => {
        const uuids = Array.from({ length: index + 1 }, (_, gpu) => `counts-${index}-${gpu}`);
        return makeBatch(uuids.map((uuid) => ({ uuid, timeMs: t0, metrics: { [metric]: index } })));
      };
      const storeAll = (metric: string): Promise<IngestResult[]> =>
        Promise.all(
          [0, 1, 2, 3, 4].map((index) => store.ingest(messageOf(`counts-${metric}-${index}`, batchOf(index, metric)))),
        );
      const counts = (results: readonly IngestResult[]) =>
        results.map(({ recordsInserted, recordsMerged }) => [recordsInserted, recordsMerged]);
      expect(counts(await storeAll("temperature"))).toEqual([1, 2, 3, 4, 5].map((records) => [records, 0]));
      expect(counts(await storeAll("power_draw"))).toEqual([1, 2, 3, 4, 5].map((records) => [0, records]));
      const { totals } = await store.progressOf("counts-power_draw-4");
      expect(totals).toMatchObject({ messages: 1, samples: 5, recordsInserted: 0, recordsMerged: 5 });
    });

    test("a message that comes twice among others, or with another id, is stored once", async () => {
      const { store } = opened;
      const messages = [0, 1, 2].map((index) =>
        messageOf(`twice-${index}`, makeBatch([{ uuid: `twice-${index}`, timeMs: t0, metrics: { temperature: 1 } }])),
      );
      const again = messages.map((message) => ({ ...message, messageId: `${message.messageId} again` }));
      const results = await Promise.all([...messages, ...messages, ...again].map((message) => store.ingest(message)));
      expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(3);
      expect(results.reduce((sum, { recordsInserted }) => sum + recordsInserted, 0)).toBe(3);
      for (const { messageId } of messages) expect((await store.progressOf(messageId)).totals.messages).toBe(1);
    });

    test("a message that the database refuses is refused alone: all that were stored with it are stored", async () => {
      const { store, queries } = opened;
      const uuids = [0, 1, 2, 3, 4, 5].map((index) => `beside-${index}`);
      const outcomes = await Promise.allSettled(
        uuids.map((uuid, index) => {
          const timeMs = index === 2 ? 9e18 : t0;
          return store.ingest(messageOf(uuid, makeBatch([{ uuid, timeMs, metrics: { temperature: 1 } }])));
        }),
      );
      expect(outcomes.map(({ status }) => status === "fulfilled")).toEqual([true, true, false, true, true, true]);
      expect(outcomes[2]).toMatchObject({ reason: { code: "store_rejected", retryable: false } });
      expect(await queries.fleet.gpus({ uuids })).toHaveLength(5);
    });

    test("readings of one source and hour that are stored together are all counted", async () => {
      const { store, queries } = opened;
      const sourceId = "together target";
      await Promise.all(
        [3, 1, 2].map((second) => {
          const timeMs = t0 + second * 1000;
          const batch = makeBatch([{ uuid: "together read", timeMs, metrics: { temperature: 1 } }]);
          const reading = { timeMs, intervalMs: 1000, outcome: "read" as const, count: 1 };
          return store.ingest(
            messageOf(`read-${second}`, { ...batch, reading }, { source: sourceId, from: timeMs, to: timeMs }),
          );
        }),
      );
      expect(await store.latestInstantMs(sourceId)).toBe(t0 + 3000);
      const [gpu] = await queries.fleet.gpus({ uuids: ["together read"] });
      expect(gpu).toMatchObject({ firstSeenAtMs: t0 + 1000 });
      const [counted] = await opened.client.query(
        "select due::int, received::int from source_readings where source_id = $1",
        [sourceId],
      );
      expect(counted).toEqual({ due: 3, received: 3 });
    });
  });
}

/** Versions of contested GPUs contain the time. */
function withoutVersions(content: unknown): unknown {
  return JSON.parse(JSON.stringify(content).replace(/"contestedVersion":\d+/g, '"contestedVersion":0'));
}
