import type { Block, Run } from "../block/block.ts";
import { isSameOccupants } from "../gpu.ts";
import type { HolderLabels } from "./labels.ts";
import { sampleLimitMs } from "./sample-limit.ts";
import type { EnergyReading, UsageHolder, UsageHour, UsageSpan, UsageThresholds } from "./usage-hour.ts";

/** The records of a device in one hour. */
type Records = Pick<Block, "timesMs" | "metrics" | "runs">;

/** How the records of an hour are read. */
export interface UsageReading {
  readonly thresholds: UsageThresholds;
  /** The labels of a report. */
  readonly labelsOf: (attributesId: number | null) => HolderLabels;
}

/** Finds how a device was used in an hour.
 *  @param records all records of the device in the hour, at least one */
export function usageOfBlock(records: Records, { thresholds, labelsOf }: UsageReading): UsageHour {
  const { metrics } = records;
  const timesMs = records.timesMs.map(Math.round);
  const [count, limitMs] = [timesMs.length, sampleLimitMs(timesMs)];
  const energy = energyOf(timesMs, metrics.get("total_energy_mj"));
  const carried = (name: string, scale = 1): Float64Array | undefined => {
    const values = metrics.get(name);
    return values && carriedValues(values, { timesMs, limitMs, scale });
  };
  const power = carried("power_draw");
  const levels = [carried("gpu_utilization") ?? carried("gr_engine_active", 100), carried("memory_used_mb"), power];
  const tensor = carried("tensor_active", 100);
  const effective = tensor ?? carried("sm_active", 100);
  const busy = { active: levels[0], effective, thresholds };
  const spans = new Spans(levels);
  let [record, holder] = [0, noHolder];
  for (const run of records.runs) {
    const next = holderOf(run, labelsOf);
    // one object, so that it is compared quickly
    if (!isSameHolder(holder, next)) holder = next;
    for (const end = record + run.records; record < end && record < count - 1; record += 1) {
      const gapMs = (timesMs[record + 1] as number) - (timesMs[record] as number);
      const heldMs = Math.min(gapMs, limitMs);
      const watts = energy?.watts[record] ?? NaN;
      const state = { ...stateAt(busy, record), record };
      spans.add(holder, heldMs, { ...state, watts: watts === watts ? watts : valueAt(power, record) });
      if (gapMs > heldMs) spans.addUnknown(gapMs - heldMs, watts);
    }
  }
  spans.begin(holder, count - 1);
  return {
    firstMs: timesMs[0] as number,
    lastMs: timesMs[count - 1] as number,
    limitMs,
    spans: spans.end(),
    last: { ...stateAt(busy, count - 1), power: valueAt(power, count - 1) },
    effectiveBy: effective === undefined ? "none" : tensor === undefined ? "sm" : "tensor",
    energyBy: energy === undefined ? (power === undefined ? "none" : "power") : "counter",
    energy,
  };
}

const noHolder: UsageHolder = { occupants: [], job: "", user: "" };

function holderOf({ attributesId, occupants }: Run, labelsOf: UsageReading["labelsOf"]): UsageHolder {
  return { occupants, ...labelsOf(attributesId) };
}

/** True if both are the same. */
function isSameHolder(a: UsageHolder | undefined, b: UsageHolder | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.job !== b.job || a.user !== b.user) return false;
  return isSameOccupants(a.occupants, b.occupants);
}

const valueAt = (values: Float64Array | undefined, record: number): number => values?.[record] ?? NaN;

interface Busy {
  readonly active: Float64Array | undefined;
  readonly effective: Float64Array | undefined;
  readonly thresholds: UsageThresholds;
}

function stateAt({ active, effective, thresholds }: Busy, record: number) {
  const utilization = valueAt(active, record);
  return {
    isActive: utilization >= thresholds.activePercent,
    isIdle: utilization < thresholds.activePercent,
    isEffective: valueAt(effective, record) >= thresholds.effectivePercent,
  };
}

/** The values of a metric; a record without one has the value before, as long as that counts. A scrape may become several records, each
 *  with some of the metrics. @returns undefined if there is no value */
function carriedValues(
  values: Float64Array,
  { timesMs, limitMs, scale }: { readonly timesMs: Float64Array; readonly limitMs: number; readonly scale: number },
): Float64Array | undefined {
  let [last, lastMs, count] = [NaN, -Infinity, 0];
  const carried = new Float64Array(values.length);
  for (let record = 0; record < values.length; record += 1) {
    const value = (values[record] as number) * scale;
    const atMs = timesMs[record] as number;
    if (value === value) {
      [last, lastMs] = [value, atMs];
      count += 1;
    }
    carried[record] = atMs - lastMs <= limitMs ? last : NaN;
  }
  return count === 0 ? undefined : carried;
}

/** The first and the last value of the counter, and the mean power from each record to the next one, in watts; NaN where it is unknown.
 *  After a reset, the counter begins at 0. @returns undefined if there is no value */
function energyOf(timesMs: Float64Array, counter: Float64Array | undefined) {
  if (counter === undefined) return undefined;
  const watts = new Float64Array(counter.length).fill(NaN);
  let [first, last]: (EnergyReading | undefined)[] = [];
  let lastRecord = 0;
  for (let record = 0; record < counter.length; record += 1) {
    const joules = (counter[record] as number) / 1000;
    if (joules !== joules) continue;
    const reading = { atMs: timesMs[record] as number, joules };
    if (last !== undefined) watts.fill(wattsBetween(last, reading), lastRecord, record);
    first ??= reading;
    [last, lastRecord] = [reading, record];
  }
  return first === undefined || last === undefined ? undefined : { first, last, watts };
}

/** No GPU draws more; the largest boards are specified with less than half of it. */
const mostWatts = 5000;

/** The mean power between two readings of the energy counter, in watts; NaN if no GPU can have drawn it: the counter was not reset, but
 *  set to another value, as when the records of a file are played again. */
export function wattsBetween(before: EnergyReading, after: EnergyReading): number {
  const joules = after.joules < before.joules ? after.joules : after.joules - before.joules;
  const watts = (joules * 1000) / (after.atMs - before.atMs);
  return watts <= mostWatts ? watts : NaN;
}

interface StateOfRecord {
  readonly record: number;
  readonly isActive: boolean;
  readonly isIdle: boolean;
  readonly isEffective: boolean;
  readonly watts: number;
}

interface OpenSpan {
  readonly holder: UsageHolder | undefined;
  lengthMs: number;
  activeMs: number;
  idleMs: number;
  effectiveMs: number;
  energy: number;
  idleEnergy: number;
  readonly sums: number[];
  readonly maxima: number[];
}

/** Collects spans; time that follows with the same holder belongs to the same span. */
class Spans {
  private readonly spans: UsageSpan[] = [];
  private open: OpenSpan | undefined;

  /** @param levels utilization, memory and power of each record */
  constructor(private readonly levels: readonly (Float64Array | undefined)[]) {}

  /** Adds the time of a record, of which the levels hold. */
  add(holder: UsageHolder, heldMs: number, state: StateOfRecord): void {
    const { record, isActive, isIdle, isEffective, watts } = state;
    const span = this.begin(holder, record);
    const joules = watts === watts ? (watts * heldMs) / 1000 : 0;
    span.lengthMs += heldMs;
    span.energy += joules;
    if (isActive) span.activeMs += heldMs;
    if (isEffective) span.effectiveMs += heldMs;
    if (isIdle) {
      span.idleMs += heldMs;
      span.idleEnergy += joules;
    }
    for (const [index, values] of this.levels.entries()) {
      const value = valueAt(values, record);
      if (value === value) (span.sums[index] as number) += (value * heldMs) / 1000;
    }
  }

  addUnknown(lengthMs: number, watts: number): void {
    const span = this.spanOf(undefined);
    span.lengthMs += lengthMs;
    if (watts === watts) span.energy += (watts * lengthMs) / 1000;
  }

  /** The span of a record, whose levels count for its greatest values. */
  begin(holder: UsageHolder, record: number): OpenSpan {
    const span = this.spanOf(holder);
    for (const [index, values] of this.levels.entries()) {
      const value = valueAt(values, record);
      if (value === value && !(value <= (span.maxima[index] as number))) span.maxima[index] = value;
    }
    return span;
  }

  end(): UsageSpan[] {
    this.close();
    return this.spans;
  }

  private spanOf(holder: UsageHolder | undefined): OpenSpan {
    if (this.open !== undefined && isSameHolder(this.open.holder, holder)) return this.open;
    this.close();
    const none = { lengthMs: 0, activeMs: 0, idleMs: 0, effectiveMs: 0, energy: 0, idleEnergy: 0 };
    this.open = { holder, ...none, sums: [0, 0, 0], maxima: [NaN, NaN, NaN] };
    return this.open;
  }

  private close(): void {
    if (this.open === undefined) return;
    const { holder, lengthMs, activeMs, idleMs, effectiveMs, energy, idleEnergy, sums, maxima } = this.open;
    const level = (index: number) => ({ sum: Math.round(sums[index] as number), max: maxima[index] as number });
    this.spans.push({
      ...{ holder, lengthMs, activeMs, idleMs, effectiveMs },
      energyJoules: Math.round(energy),
      idleJoules: Math.round(idleEnergy),
      utilization: level(0),
      memory: level(1),
      power: level(2),
    });
  }
}
