import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import type { SqlExecutor } from "../../src/db/client.ts";
import { readJoinedBlocks, wholeBlock } from "../../src/db/sql/sent-blocks.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import type { HistoryCursor, RecordFilter, StoredRecord } from "../../src/domain/query.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { SqlTelemetryQueries } from "../../src/pipeline/store/sql/sql-telemetry-queries.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

setDefaultTimeout(60_000);

const startMs = Date.UTC(2025, 6, 18, 10);
let opened: OpenStore;
beforeAll(async () => void (opened = await openMemoryStore()));
afterAll(() => opened.close());

/** A GPU's records: how many, and when. Most GPUs of a fleet have the same instants. */
const arbitraryGpu = fc.record({
  fromMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(2 * 3_600_000)),
  stepMs: fc.constantFrom(15_000, 15_000, 60_000, 7),
  records: fc.integer({ min: 1, max: 9 }),
  movesAt: fc.oneof(fc.constant(99), fc.nat(8)),
});
type ArbitraryGpu = typeof arbitraryGpu extends fc.Arbitrary<infer T> ? T : never;

function recordsOf(fleet: string, gpu: number, { fromMs, stepMs, records, movesAt }: ArbitraryGpu): TestRecord[] {
  return Array.from({ length: records }, (_, index) => ({
    uuid: `${fleet} ${gpu}`,
    hostname: index < movesAt ? `${fleet} host` : `${fleet} other`,
    clusterId: fleet,
    timeMs: startMs + fromMs + index * stepMs,
    metrics: { temperature: index },
  }));
}

/** The records of all pages, as instants and uuids in the order of the pages; within a page, in the order of the history. */
async function paged({ queries }: OpenStore, filter: RecordFilter): Promise<string[]> {
  const found: string[] = [];
  const inOrder = (a: StoredRecord, b: StoredRecord): number =>
    (a.timeMs - b.timeMs || gpuKeyOf(a.gpu.uuid) - gpuKeyOf(b.gpu.uuid)) * (filter.isForward === true ? 1 : -1);
  for (let cursor: HistoryCursor | undefined; ;) {
    const page = await queries.history.records({ ...filter, ...(cursor && { cursor }) });
    found.push(...page.elements.toSorted(inOrder).map(({ timeMs, gpu }) => `${timeMs} ${gpu.uuid}`));
    if ((cursor = page.next) === undefined) return found;
    expect(page.elements).toHaveLength(filter.limit);
  }
}

test("the pages of a fleet have each of its records once, in order, however small they are", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbitraryGpu, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 2, max: 40 }),
      fc.boolean(),
      fc.constantFrom("everything" as const, "half" as const),
      async (gpus, limit, isForward, state) => {
        const fleet = `fleet ${run++}`;
        const records = gpus.flatMap((gpu, index) => recordsOf(fleet, index, gpu));
        await opened.store.ingest(messageOf(fleet, makeBatch(records)));
        await settleTo(opened.client, state);
        const ordered = records
          .map((record) => ({ ...record, gpuKey: gpuKeyOf(record.uuid) }))
          .sort((a, b) => (a.timeMs - b.timeMs || a.gpuKey - b.gpuKey) * (isForward ? 1 : -1));
        const times = ordered.map(({ timeMs }) => timeMs);
        const range = { fromMs: Math.min(...times) + 1, toMs: Math.max(...times) - 1 };
        for (const [among, within] of [
          [{ clusterId: fleet }, allTime],
          [{ hostname: `${fleet} host` }, allTime],
          [{ clusterId: fleet }, range],
        ] as const) {
          const expected = ordered.filter(
            ({ timeMs, hostname }) =>
              timeMs >= within.fromMs &&
              timeMs < within.toMs &&
              (!("hostname" in among) || hostname === among.hostname),
          );
          expect(await paged(opened, { gpus: among, range: within, limit, isForward })).toEqual(
            expected.map(({ timeMs, uuid }) => `${timeMs} ${uuid}`),
          );
        }
      },
    ),
    { numRuns: 8, endOnFailure: true },
  );
});

test("the newest records of a fleet are found without the blocks that have none of them", async () => {
  const alone = await openMemoryStore();
  const gpus = Array.from({ length: 60 }, (_, gpu) =>
    recordsOf("whole", gpu, { fromMs: gpu, stepMs: 15_000, records: 9, movesAt: 99 }),
  );
  await alone.store.ingest(messageOf("whole", makeBatch(gpus.flat())));
  await settleTo(alone.client, "everything");
  let blocks = 0;
  const counting: SqlExecutor = {
    query: async <Row>(text: string, params?: readonly unknown[]) => {
      const rows = await alone.client.query<Row>(text, params);
      for (const { blocks: sent } of rows as { readonly blocks?: Uint8Array | null }[]) {
        blocks += readJoinedBlocks(sent ?? null, wholeBlock.metrics).length;
      }
      return rows;
    },
  };
  for (const isForward of [false, true]) {
    blocks = 0;
    const filter = { gpus: {}, range: allTime, limit: 5, isForward };
    const { elements } = await new SqlTelemetryQueries(counting).history.records(filter);
    const expected = isForward ? [0, 1, 2, 3, 4] : [55, 56, 57, 58, 59];
    expect(elements.map(({ gpu }) => gpu.uuid)).toEqual(expected.map((gpu) => `whole ${gpu}`));
    expect(blocks).toBe(6);
  }
  await alone.close();
});
