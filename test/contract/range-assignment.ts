import { afterEach, describe, expect, test } from "bun:test";
import { encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import type { NewMessage } from "../../src/pipeline/queue/queue.ts";
import type { ClaimedRange, RangeAssignment } from "../../src/pipeline/stream/assignment/range-assignment.ts";
import type { RangeBatch, ReplayableSource } from "../../src/pipeline/source/source.ts";

/** An assignment under test, and its driver's way to settle a batch. */
export interface OpenRangeAssignment {
  readonly assignment: RangeAssignment;
  readonly source: ReplayableSource;
  /** Publishes or stores a batch, as the driver's streamer would. */
  readonly settle: (claimed: ClaimedRange, batch: RangeBatch) => Promise<unknown>;
  /** Opens another assignment, as another process would; it may claim ranges of the same source. */
  readonly openOther: () => RangeAssignment;
  readonly close: () => Promise<void>;
}

const never = new AbortController().signal;

/** A message that carries a batch. */
export function messageOf({ range, batch }: RangeBatch): NewMessage {
  const idempotencyKey = `${range.sourceId}:${range.from.offset}-${range.to.offset}`;
  return { ...encodeBatch(batch), idempotencyKey, traceId: "contract", count: batch.recordCount, source: range };
}

/** Claims and reads ranges until the whole source is covered.
 *  @returns the start and end of each batch, in order */
export async function readAll(
  { source, settle }: OpenRangeAssignment,
  assignment: RangeAssignment,
): Promise<[number, number][]> {
  const ranges: [number, number][] = [];
  for (let claimed = await assignment.claim(source, never); claimed; claimed = await assignment.claim(source, never)) {
    for await (const batch of source.read(claimed.range, never)) {
      await settle(claimed, batch);
      ranges.push([batch.range.from.offset, batch.range.to.offset]);
    }
    await claimed.finish();
  }
  return ranges.sort(([a], [b]) => a - b);
}

/** True if the ranges cover each byte of the source exactly once.
 *  @param ranges in the order of their starts */
export function isWhole(source: ReplayableSource, ranges: readonly (readonly [number, number])[]): boolean {
  let at = source.whole.from.offset;
  for (const [from, to] of ranges) {
    if (from !== at) return false;
    at = to;
  }
  return at === source.whole.to.offset;
}

/** The contract of every driver of RangeAssignment. */
export function exerciseRangeAssignment(name: string, open: () => Promise<OpenRangeAssignment>): void {
  describe(`${name} keeps the contract of range assignment`, () => {
    let opened: OpenRangeAssignment | undefined;
    afterEach(async () => {
      await opened?.assignment.close();
      await opened?.close();
    });

    test("one reader gets every byte of the source exactly once, and then nothing", async () => {
      opened = await open();
      expect(await opened.assignment.covered(opened.source)).toEqual([]);
      expect(isWhole(opened.source, await readAll(opened, opened.assignment))).toBe(true);
      expect(await opened.assignment.claim(opened.source, never)).toBeUndefined();
    });

    test("published ranges are covered, and a later process does not get them", async () => {
      opened = await open();
      const { source, assignment, settle, openOther } = opened;
      const claimed = (await assignment.claim(source, never)) as ClaimedRange;
      const reading = source.read(claimed.range, never)[Symbol.asyncIterator]();
      const first = (await reading.next()).value as RangeBatch;
      await settle(claimed, first);
      await reading.return?.();
      await claimed.release();
      await assignment.close();
      const later = openOther();
      expect(await later.covered(source)).toEqual([{ from: source.whole.from, to: first.range.to }]);
      const rest = await readAll(opened, later);
      expect(isWhole(source, [[first.range.from.offset, first.range.to.offset], ...rest])).toBe(true);
      expect(await later.covered(source)).toMatchObject([{ to: { offset: source.whole.to.offset } }]);
      await later.close();
    });

    test("a claim with an aborted signal returns nothing, and a second close does nothing", async () => {
      opened = await open();
      expect(await opened.assignment.claim(opened.source, AbortSignal.abort())).toBeUndefined();
      await opened.assignment.close();
      await opened.assignment.close();
    });
  });
}
