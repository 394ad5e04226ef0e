import { hourMs, hourOf, type TimeRange } from "../time-range.ts";
import { wattsBetween } from "./usage-of-block.ts";
import type { EffectiveMeasure, EnergyMeasure, Level, UsageHolder, UsageHour } from "./usage-hour.ts";

/** Time of a device with one holder, within an hour. */
export interface UsageSegment extends TimeRange {
  /** Undefined: unknown. */
  readonly holder: UsageHolder | undefined;
  /** The instant of the record that says so. */
  readonly atMs: number;
  readonly activeMs: number;
  readonly idleMs: number;
  readonly effectiveMs: number;
  readonly energyJoules: number;
  readonly idleJoules: number;
  /** Utilization, memory and power; undefined where nothing was measured: between two hours. */
  readonly levels: readonly Level[] | undefined;
  readonly effectiveBy: EffectiveMeasure;
  readonly energyBy: EnergyMeasure;
}

/** How a device was used in an hour, and before and after: the hours next to it that have records. */
export interface NearUsage {
  readonly before: UsageHour | undefined;
  readonly of: UsageHour | undefined;
  readonly after: UsageHour | undefined;
}

/** Divides the time of a device in an hour: the segments have no gaps and do not overlap. The last record of an hour counts until the first
 *  one of the next, at most for the limit of its hour; the time until a later one is unknown.
 *  @param life the time from the device's first record to its last one */
export function segmentsOf(hour: number, near: NearUsage, life: TimeRange): UsageSegment[] {
  const { before, of, after } = near;
  const range = { fromMs: Math.max(hour, life.fromMs), toMs: Math.min(hour + hourMs, life.toMs) };
  const segments: UsageSegment[] = [];
  if (of === undefined) {
    addBetween(segments, near, range);
    return segments;
  }
  addBetween(segments, { before, after: of }, { fromMs: range.fromMs, toMs: of.firstMs });
  addWithin(segments, of);
  addBetween(segments, { before: of, after }, { fromMs: of.lastMs, toMs: range.toMs });
  return segments;
}

function addWithin(segments: UsageSegment[], { firstMs, spans, effectiveBy, energyBy }: UsageHour): void {
  let fromMs = firstMs;
  for (const span of spans) {
    const { holder, lengthMs, activeMs, idleMs, effectiveMs, energyJoules, idleJoules } = span;
    const toMs = fromMs + lengthMs;
    const levels = holder === undefined ? undefined : [span.utilization, span.memory, span.power];
    const used = { activeMs, idleMs, effectiveMs, energyJoules, idleJoules };
    segments.push({ fromMs, toMs, holder, atMs: fromMs, ...used, levels, effectiveBy, energyBy });
    fromMs = toMs;
  }
}

/** Adds the time between the last record of an hour and the first one of a later hour, as far as a range has it. */
function addBetween(
  segments: UsageSegment[],
  { before, after }: Pick<NearUsage, "before" | "after">,
  { fromMs, toMs }: TimeRange,
): void {
  if (!(fromMs < toMs)) return;
  const unknown = { activeMs: 0, idleMs: 0, effectiveMs: 0, idleJoules: 0, levels: undefined };
  if (before === undefined) {
    const nothing = { holder: undefined, atMs: fromMs, ...unknown, energyJoules: 0 };
    segments.push({ fromMs, toMs, ...nothing, effectiveBy: "none", energyBy: "none" });
    return;
  }
  const { last, lastMs, limitMs, effectiveBy, energyBy } = before;
  const heldUntil = Math.max(fromMs, Math.min(toMs, lastMs + limitMs));
  const counted = after === undefined ? NaN : wattsOver(before, after);
  if (fromMs < heldUntil) {
    const heldMs = heldUntil - fromMs;
    const energyJoules = joulesOf(counted === counted ? counted : last.power, heldMs);
    const activeMs = last.isActive ? heldMs : 0;
    const idleMs = last.isIdle ? heldMs : 0;
    const effectiveMs = last.isEffective ? heldMs : 0;
    const used = { activeMs, idleMs, effectiveMs, energyJoules, idleJoules: last.isIdle ? energyJoules : 0 };
    const holder = before.spans.at(-1)?.holder;
    segments.push({ fromMs, toMs: heldUntil, holder, atMs: lastMs, ...used, levels: undefined, effectiveBy, energyBy });
  }
  if (heldUntil < toMs) {
    const rest = { holder: undefined, atMs: lastMs, ...unknown, energyJoules: joulesOf(counted, toMs - heldUntil) };
    // without the counter, nothing was measured
    const measures = { effectiveBy, energyBy: counted === counted ? energyBy : "none" } as const;
    segments.push({ fromMs: heldUntil, toMs, ...rest, ...measures });
  }
}

const joulesOf = (watts: number, lengthMs: number): number => (watts === watts ? (watts * lengthMs) / 1000 : 0);

/** The mean power between two hours in a row by the energy counter, in watts; NaN if it is not known. */
function wattsOver(before: UsageHour, after: UsageHour): number {
  const areInARow = hourOf(after.firstMs) - hourOf(before.lastMs) <= hourMs;
  if (!areInARow || before.energy === undefined || after.energy === undefined) return NaN;
  return wattsBetween(before.energy.last, after.energy.first);
}

/** A part of a segment: of what was measured, as much as it has of the time. */
export function partOfSegment(segment: UsageSegment, { fromMs, toMs }: TimeRange): UsageSegment {
  if (fromMs <= segment.fromMs && toMs >= segment.toMs) return segment;
  const share = (toMs - fromMs) / (segment.toMs - segment.fromMs);
  const { activeMs, idleMs, effectiveMs, energyJoules, idleJoules, levels } = segment;
  return {
    ...segment,
    ...{ fromMs, toMs },
    activeMs: activeMs * share,
    idleMs: idleMs * share,
    effectiveMs: effectiveMs * share,
    energyJoules: energyJoules * share,
    idleJoules: idleJoules * share,
    levels: levels?.map(({ sum, max }) => ({ sum: sum * share, max })),
  };
}
