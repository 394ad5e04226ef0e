import { type Attributes, completed, isSameAttributes } from "../../../domain/gpu.ts";
import type { Span, SpanChanges } from "./state-spans.ts";

/** The changes of a GPU's attributes. */
export interface AttributesChanges extends SpanChanges<Attributes> {
  /** The attributes of the last span; undefined if they have not changed. */
  readonly newest: Attributes | undefined;
}

/** Computes a GPU's attributes over time from what its records report: a field that a report leaves empty stays as it was.
 *  @param stored the GPU's stored attributes, sorted: the last span that begins before `changedFromMs`, and all later spans
 *  @param reports what the records report, sorted: all reports from `changedFromMs` on; earlier ones are ignored */
export function changeAttributes(
  stored: readonly Span<Attributes>[],
  reports: readonly Span<Attributes>[],
  changedFromMs: number,
): AttributesChanges {
  const isLater = ({ fromMs }: Span<Attributes>): boolean => fromMs >= changedFromMs;
  const before = stored.findLast((span) => !isLater(span));
  const old = new Map(stored.filter(isLater).map(({ fromMs, state }) => [fromMs, state]));
  const written: Span<Attributes>[] = [];
  const remaining = new Set<number>();
  let last = before?.state;
  for (const { fromMs, state: reported } of reports.filter(isLater)) {
    const state = last === undefined ? reported : completed(reported, last);
    if (last !== undefined && isSameAttributes(state, last)) continue;
    const existing = old.get(fromMs);
    if (existing === undefined || !isSameAttributes(existing, state)) written.push({ fromMs, state });
    remaining.add(fromMs);
    last = state;
  }
  const lastStored = stored.at(-1)?.state;
  const isNew = last !== undefined && (lastStored === undefined || !isSameAttributes(last, lastStored));
  return {
    written,
    removed: [...old.keys()].filter((fromMs) => !remaining.has(fromMs)),
    newest: isNew ? last : undefined,
  };
}
