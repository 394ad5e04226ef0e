import type { Position, Stretch } from "../../../domain/range.ts";
import type { ReadRange } from "../../source/source.ts";

/** What is left to read of a source once the stored stretches are taken out.
 *  @param stored in order, not overlapping
 *  @param endOffset where the source ends; undefined for one that never does */
export function gapsOf(start: Position, endOffset: number | undefined, stored: readonly Stretch[]): ReadRange[] {
  const gaps: ReadRange[] = [];
  let from = start;
  for (const stretch of stored) {
    if (stretch.from.offset > from.offset) gaps.push({ from, toOffset: stretch.from.offset });
    if (stretch.to.offset > from.offset) from = stretch.to;
  }
  if (endOffset === undefined) gaps.push({ from });
  else if (from.offset < endOffset) gaps.push({ from, toOffset: endOffset });
  return gaps;
}
