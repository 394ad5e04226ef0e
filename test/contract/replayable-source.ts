import { afterEach, describe, expect, test } from "bun:test";
import type { Position, Range } from "../../src/domain/range.ts";
import type { RangeBatch, ReplayableSource } from "../../src/pipeline/source/source.ts";
import { plain } from "../support/csv-reading.ts";

/** A replayable source under test: it has several batches, and its offsets are bytes. */
export interface OpenReplayableSource {
  readonly source: ReplayableSource;
  /** Opens the same source again, as another process would. */
  reopen(): Promise<ReplayableSource>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

function read(source: ReplayableSource, range: Range): Promise<RangeBatch[]> {
  return Array.fromAsync(source.read(range, never));
}

function planned(source: ReplayableSource, from: Position, rangeBytes: number): Promise<Range[]> {
  return Array.fromAsync(source.planRanges(from, rangeBytes, never));
}

/** The offsets at which consecutive ranges begin and end. */
function offsetsOf(ranges: readonly Range[]): number[] {
  const [first] = ranges;
  return first === undefined ? [] : [first.from.offset, ...ranges.map(({ to }) => to.offset)];
}

function expectContiguous(ranges: readonly Range[]): void {
  for (const [index, { from }] of ranges.slice(1).entries()) expect(from).toEqual(ranges[index]?.to as Position);
}

/** The contract of every driver of a replayable source. */
export function exerciseReplayableSource(name: string, open: () => Promise<OpenReplayableSource>): void {
  describe(`${name} keeps the contract of a replayable source`, () => {
    let opened: OpenReplayableSource | undefined;
    afterEach(() => opened?.close());
    const openSource = async (): Promise<OpenReplayableSource> => (opened = await open());

    test("batches are contiguous and cover the source from its start to its end", async () => {
      const { source } = await openSource();
      const batches = await read(source, source.whole);
      expect(batches.length).toBeGreaterThan(2);
      const ranges = batches.map(({ range }) => range);
      expect(ranges[0]?.from).toEqual(source.whole.from);
      expectContiguous(ranges);
      expect(ranges.at(-1)?.to.offset).toBe(source.whole.to.offset);
      for (const { sourceId } of ranges) expect(sourceId).toBe(source.sourceId);
    });

    test("the same range yields the same batches again, in another process too", async () => {
      const { source, reopen } = await openSource();
      const first = (await read(source, source.whole)).map(plain);
      expect((await read(source, source.whole)).map(plain)).toEqual(first);
      const other = await reopen();
      expect(other.sourceId).toBe(source.sourceId);
      expect(other.whole).toEqual(source.whole);
      expect((await read(other, other.whole)).map(plain)).toEqual(first);
    });

    test("a read from the end of any batch yields the batches after it", async () => {
      const { source } = await openSource();
      const batches = await read(source, source.whole);
      for (const [index, { range }] of batches.entries()) {
        const rest = await read(source, { from: range.to, to: source.whole.to });
        expect(rest.map(plain)).toEqual(batches.slice(index + 1).map(plain));
      }
    });

    test("planned ranges of various sizes are contiguous, cover the source, and contain all of its rows", async () => {
      const { source } = await openSource();
      const rows = (batches: readonly RangeBatch[]): number =>
        batches.reduce((sum, { batch }) => sum + batch.tally.rows, 0);
      const { from, to } = source.whole;
      for (const parts of [1, 3, 7, 1000]) {
        const ranges = await planned(source, from, Math.ceil((to.offset - from.offset) / parts));
        expect(offsetsOf(ranges).at(0)).toBe(from.offset);
        expect(offsetsOf(ranges).at(-1)).toBe(to.offset);
        expectContiguous(ranges);
        const batches = await Promise.all(ranges.map((range) => read(source, range)));
        expect(rows(batches.flat())).toBe(rows(await read(source, source.whole)));
      }
    });

    test("planning continues from the end of any planned range", async () => {
      const { source, reopen } = await openSource();
      const { from, to } = source.whole;
      const rangeBytes = Math.ceil((to.offset - from.offset) / 5);
      const ranges = await planned(source, from, rangeBytes);
      expect(ranges.length).toBeGreaterThan(2);
      for (const [index, range] of ranges.entries()) {
        expect(await planned(await reopen(), range.to, rangeBytes)).toEqual(ranges.slice(index + 1));
      }
    });

    test("an abort ends a read without an error, after valid batches; with an aborted signal, reads and plans yield nothing", async () => {
      const { source } = await openSource();
      const whole = (await read(source, source.whole)).map(plain);
      const stop = new AbortController();
      const batches: RangeBatch[] = [];
      for await (const batch of source.read(source.whole, stop.signal)) {
        if (batches.push(batch) === 2) stop.abort();
      }
      expect(batches.map(plain)).toEqual(whole.slice(0, 2));
      expect(await Array.fromAsync(source.read(source.whole, stop.signal))).toEqual([]);
      expect(await Array.fromAsync(source.planRanges(source.whole.from, 1, stop.signal))).toEqual([]);
    });
  });
}
