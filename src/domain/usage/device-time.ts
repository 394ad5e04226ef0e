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
  if (of === undefined) return between(before, after, range);
  return [
    ...between(before, of, { ...range, toMs: of.firstMs }),
    ...within(of),
    ...between(of, after, { ...range, fromMs: of.lastMs }),
  ];
}

function within({ firstMs, spans, effectiveBy, energyBy }: UsageHour): UsageSegment[] {
  let fromMs = firstMs;
  return spans.map(({ lengthMs, utilization, memory, power, ...span }) => {
    const segment = { ...span, fromMs, toMs: fromMs + lengthMs, atMs: fromMs, effectiveBy, energyBy };
    fromMs += lengthMs;
    return { ...segment, levels: span.holder === undefined ? undefined : [utilization, memory, power] };
  });
}

/** The time between the last record of an hour and the first one of a later hour, as far as a range has it. */
function between(before: UsageHour | undefined, after: UsageHour | undefined, range: TimeRange): UsageSegment[] {
  const { fromMs, toMs } = range;
  if (!(fromMs < toMs)) return [];
  const unknown = { holder: undefined, activeMs: 0, idleMs: 0, effectiveMs: 0, idleJoules: 0, levels: undefined };
  if (before === undefined) {
    return [{ ...range, ...unknown, atMs: fromMs, energyJoules: 0, effectiveBy: "none", energyBy: "none" }];
  }
  const { last, lastMs, limitMs, effectiveBy, energyBy } = before;
  const heldUntil = Math.max(fromMs, Math.min(toMs, lastMs + limitMs));
  const counted = after === undefined ? NaN : wattsOver(before, after);
  const joules = (watts: number, lengthMs: number): number => (watts === watts ? (watts * lengthMs) / 1000 : 0);
  const heldMs = heldUntil - fromMs;
  const heldJoules = joules(counted === counted ? counted : last.power, heldMs);
  const common = { atMs: lastMs, effectiveBy, energyBy };
  const held: UsageSegment = {
    ...{ fromMs, toMs: heldUntil, holder: before.spans.at(-1)?.holder, ...common, levels: undefined },
    activeMs: last.isActive ? heldMs : 0,
    idleMs: last.isIdle ? heldMs : 0,
    effectiveMs: last.isEffective ? heldMs : 0,
    energyJoules: heldJoules,
    idleJoules: last.isIdle ? heldJoules : 0,
  };
  const rest = { fromMs: heldUntil, toMs, ...unknown, ...common, energyJoules: joules(counted, toMs - heldUntil) };
  return [held, rest].filter((segment) => segment.fromMs < segment.toMs);
}

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
