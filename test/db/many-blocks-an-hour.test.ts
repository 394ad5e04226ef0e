import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { HistoryCursor } from "../../src/domain/query.ts";
import { allTime, hourMs } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

// An hour has more blocks than the first statement of a page reads.

const startMs = Date.UTC(2025, 6, 18, 10);
const gpus = { uuids: ["GPU-0"] };
/** The second hour has a record every 100 ms, and so 5 blocks. */
const instants = [
  ...Array.from({ length: 2 }, (_, index) => startMs + index * 60_000),
  ...Array.from({ length: 36_000 }, (_, index) => startMs + hourMs + index * 100),
  ...Array.from({ length: 50 }, (_, index) => startMs + 2 * hourMs + index * 60_000),
  ...[3, 4, 5, 6, 7, 8].map((hours) => startMs + hours * hourMs),
];

let opened: OpenStore;
beforeAll(async () => {
  opened = await openMemoryStore();
  const records = instants.map((timeMs, index) => ({ uuid: "GPU-0", timeMs, metrics: { temperature: index } }));
  await opened.store.ingest(messageOf("all", makeBatch(records)));
  await settleTo(opened.client, "everything");
}, 60_000);
afterAll(() => opened.close());

async function page(filter: { limit: number; isForward: boolean; cursor?: HistoryCursor | undefined }) {
  const { cursor, ...more } = filter;
  return opened.queries.history.records({ gpus, range: allTime, ...more, ...(cursor && { cursor }) });
}

test("the blocks are as many as this test needs", async () => {
  const blocks = await opened.client.query<{ count: number }>(
    "select count(*)::int as count from blocks group by date_bin('1 hour', from_at, timestamptz '2000-01-01 00:00:00Z') order by 1",
  );
  expect(blocks.map(({ count }) => count)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 5]);
});

test.each([
  { limit: 5000, isForward: false },
  { limit: 5000, isForward: true },
])(
  "pages have every record once, in order: %j",
  async (filter) => {
    const read: number[] = [];
    let cursor: HistoryCursor | undefined;
    do {
      const { elements, next } = await page({ ...filter, cursor });
      for (const { timeMs, metrics } of elements) expect(metrics["temperature"]).toBe(instants.indexOf(timeMs));
      const times = elements.map(({ timeMs }) => timeMs);
      read.push(...(filter.isForward ? times : times.reverse()));
      cursor = next;
    } while (cursor !== undefined);
    expect(read).toEqual(filter.isForward ? instants : instants.toReversed());
  },
  60_000,
);

test("a page from any place of such an hour has the records next to it", async () => {
  const [last] = (await page({ limit: 1, isForward: false })).elements;
  const { next } = await page({ limit: 1, isForward: false });
  expect(last?.timeMs).toBe(instants.at(-1));
  const gpuKey = next?.gpuKey ?? NaN;
  for (const at of [1, 2, 3, 150, 8193, 20_000, 36_001, 36_002, 36_040, 36_056]) {
    const cursor = { timeMs: instants[at] as number, gpuKey };
    const before = await page({ limit: 100, isForward: false, cursor });
    expect(before.elements.map(({ timeMs }) => timeMs)).toEqual(instants.slice(Math.max(0, at - 100), at));
    const after = await page({ limit: 100, isForward: true, cursor });
    expect(after.elements.map(({ timeMs }) => timeMs)).toEqual(instants.slice(at + 1, at + 101));
  }
}, 60_000);
