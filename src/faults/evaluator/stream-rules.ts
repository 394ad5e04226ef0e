import { hourMs } from "../../domain/time-range.ts";
import type { StoredRecord } from "../../domain/query.ts";
import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import { maxGapOf, type Observation, ofDevice, readerOf, shownNumber } from "./observation.ts";
import type { DeviceState } from "./state.ts";
import { faultOf, type Transitions } from "./transitions.ts";
import { SlidingSums } from "./windows.ts";

/** Series that change from one collection to the next while a GPU works: each has at least three decimals, or counts. */
const fastMetrics = [
  ...["power_draw", "total_energy_mj", "gr_engine_active", "sm_active", "sm_occupancy", "tensor_active", "dram_active"],
  ...["fp64_active", "fp32_active", "fp16_active", "pcie_tx_bytes", "pcie_rx_bytes", "nvlink_bandwidth_total"],
].map(readerOf);
/** A single series may really stay the same, such as the power of a GPU at its limit in whole watts. */
const fewestFastMetrics = 2;
const coverageName = "coverage";
const silenceMs = 60_000;

/** Judges the stream of a device's records: whether values are frozen, and how many records are missing. */
export class StreamRules {
  private readonly frozen: readonly RuleOf<"frozen">[];
  private readonly coverage: readonly RuleOf<"coverage">[];
  private readonly hour = new SlidingSums(hourMs, 2);
  private readonly double = new Float64Array(1);
  private readonly words = new Int32Array(this.double.buffer);

  constructor(
    rules: readonly Rule[],
    private readonly transitions: Transitions,
  ) {
    this.frozen = rulesOf(rules, "frozen");
    this.coverage = rulesOf(rules, "coverage");
  }

  observe(observation: Observation): void {
    if (observation.elapsedMs === 0) return;
    if (this.coverage.length > 0) this.observeCoverage(observation);
    if (this.frozen.length > 0) this.observeFastValues(observation);
  }

  private observeCoverage({ device, atMs, elapsedMs, isAfterGap, mayRaise }: Observation): void {
    const { intervalMs } = device;
    if (isAfterGap || intervalMs === 0) delete device.windows[coverageName];
    if (intervalMs === 0) return;
    const window = (device.windows[coverageName] ??= []);
    const partBefore = window.at(-3);
    // a longer silence is the matter of the rules of absence
    const isSilence = elapsedMs > Math.max(silenceMs, 3 * intervalMs);
    this.hour.add(window, atMs, [1, isSilence ? 1 : elapsedMs / intervalMs]);
    // judged once in ten minutes, as each part of the window begins
    if (window.at(-3) === partBefore || atMs - (window[0] as number) < hourMs) return;
    const value = this.hour.total(window, 0) / this.hour.total(window, 1);
    for (const rule of this.coverage) {
      const why = (): string =>
        `${shownNumber(100 * value)} % of the records of an hour arrived, by the interval of ${shownNumber(intervalMs / 1000)} s.`;
      this.transitions.judge(
        device,
        { isBad: value < rule.below, isClear: value >= rule.resolve, value, atMs, mayRaise, why },
        { rule, durations: { forMs: 0, resolveForMs: 0, maxGapMs: Infinity }, beginning: () => ofDevice(device) },
      );
    }
  }

  private observeFastValues({ device, record, atMs, mayRaise }: Observation): void {
    const hash = this.hashOf(record);
    if (hash === undefined) return;
    const before = device.fastValues;
    const isSame = before?.hash === hash;
    if (!isSame) device.fastValues = { hash, sinceMs: atMs, records: 1 };
    else if (isBusy(record)) before.records += 1;
    else return;
    if (isSame || device.faults.length > 0) this.judgeFrozen(device, { atMs, mayRaise });
  }

  private judgeFrozen(
    device: DeviceState,
    { atMs, mayRaise }: { readonly atMs: number; readonly mayRaise: boolean },
  ): void {
    const { records, sinceMs } = device.fastValues as NonNullable<DeviceState["fastValues"]>;
    for (const rule of this.frozen) {
      const isBad = records >= rule.records && atMs - sinceMs >= rule.for_seconds * 1000;
      if (!isBad && faultOf(device, rule.id) === undefined) continue;
      const why = (): string =>
        isBad
          ? `All fast values were equal in ${records} records, for ${(atMs - sinceMs) / 1000} s.`
          : "The values change again.";
      this.transitions.judge(
        device,
        { isBad, isClear: records === 1, value: records, atMs, mayRaise, why },
        {
          rule,
          durations: { forMs: 0, resolveForMs: 0, maxGapMs: maxGapOf(device) },
          beginning: () => ofDevice(device),
        },
      );
    }
  }

  /** @returns undefined if the record has too few fast values */
  private hashOf(record: StoredRecord): number | undefined {
    let hash = 17;
    let count = 0;
    for (const read of fastMetrics) {
      const value = read(record);
      if (value === undefined) {
        hash = Math.imul(hash, 31);
        continue;
      }
      count += 1;
      this.double[0] = value;
      hash = Math.imul(Math.imul(hash, 31) ^ (this.words[0] as number), 0x85ebca6b);
      hash = (Math.imul(hash, 31) ^ (this.words[1] as number) ^ (hash >>> 15)) | 0;
    }
    return count < fewestFastMetrics ? undefined : hash;
  }
}

function isBusy({ metrics }: StoredRecord): boolean {
  return (metrics["gpu_utilization"] ?? 0) > 0 || (metrics["gr_engine_active"] ?? 0) > 0;
}

/** Intervals of which the median is taken: a few lost records do not change it. */
const intervalsForMedian = 9;
/** A loss of more than half of the records looks like a longer interval: unless the intervals are regular, it grows only by this. */
const slowGrowth = 1.02;

/** Learns the usual interval between the records of a device. */
export function learnInterval(device: DeviceState, elapsedMs: number): void {
  const recent = device.recentIntervalsMs;
  recent.push(elapsedMs);
  if (recent.length < intervalsForMedian) return;
  recent.sort((a, b) => a - b);
  const median = recent[intervalsForMedian >> 1] as number;
  const isRegular = (recent.at(-1) as number) <= 1.05 * (recent[0] as number);
  // the schedule has changed: what was missing by the old one is not missing
  if (isRegular && median > 1.05 * device.intervalMs) delete device.windows[coverageName];
  const isKnown = device.intervalMs > 0 && !isRegular;
  device.intervalMs = isKnown ? Math.min(median, device.intervalMs * slowGrowth) : median;
  device.recentIntervalsMs = [];
}
