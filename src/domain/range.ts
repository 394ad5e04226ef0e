import { Type } from "@sinclair/typebox";

/** A place in a source: between two rows, never inside one. */
export interface Position {
  /** Byte offset in a file; milliseconds since the epoch in a live source. */
  readonly offset: number;
  /** Line number of the row that starts here, from 1; 0 if the source has no lines, or if its lines are not counted yet. */
  readonly line: number;
}

/** The schema of a position in etcd's documents. */
export const positionSchema = Type.Object({ offset: Type.Number(), line: Type.Number() });

/** A half-open interval of positions: `from` inclusive, `to` exclusive. */
export interface Range {
  readonly from: Position;
  readonly to: Position;
}

/** A range, with the source to which it belongs. */
export interface SourceRange extends Range {
  readonly sourceId: string;
}

/** Joins ranges that are adjacent or overlap, and leaves out empty ranges.
 *  @param ranges in the order of `from` */
export function joinRanges(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const { from, to } of ranges) {
    if (to.offset <= from.offset) continue;
    const last = joined.at(-1);
    if (last === undefined || from.offset > last.to.offset) joined.push({ from, to });
    else if (to.offset > last.to.offset) joined[joined.length - 1] = { from: last.from, to };
  }
  return joined;
}

/** The parts of `whole` that no range of `covering` covers, in order. An empty range does not divide a part.
 *  @param covering in the order of `from` */
export function gapsIn(whole: Range, covering: readonly Range[]): Range[] {
  const gaps: Range[] = [];
  let { from } = whole;
  for (const range of covering) {
    if (range.from.offset >= whole.to.offset) break;
    if (range.to.offset <= range.from.offset) continue;
    if (range.from.offset > from.offset) gaps.push({ from, to: range.from });
    if (range.to.offset > from.offset) from = range.to;
  }
  if (from.offset < whole.to.offset) gaps.push({ from, to: whole.to });
  return gaps;
}

/** The range of a live batch in messages and in the store: an empty range at the batch's time, because no part
 *  of a live source can be read again. */
export function instantRange(sourceId: string, timeMs: number): SourceRange {
  const at: Position = { offset: timeMs, line: 0 };
  return { sourceId, from: at, to: at };
}

/** The bytes of ranges that do not overlap. */
export function bytesIn(ranges: readonly Range[]): number {
  return ranges.reduce((bytes, { from, to }) => bytes + to.offset - from.offset, 0);
}
