import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import type { CounterRises } from "./counter-rises.ts";
import { maxGapOf, type Observation, ofDevice, type ReadMetric, readerOf, shownNumber } from "./observation.ts";
import type { DeviceState } from "./state.ts";
import { faultOf, type Transitions } from "./transitions.ts";
import { SlidingSums } from "./windows.ts";

/** Judges what happens within a window: the increases of counters, and how often bits are set. A device without such events has no
 *  window. */
export class WindowRules {
  private readonly increases: readonly {
    readonly rule: RuleOf<"increase">;
    readonly index: number;
    readonly sums: SlidingSums;
  }[];
  private readonly bits: readonly {
    readonly rule: RuleOf<"bits">;
    readonly read: ReadMetric;
    readonly sums: SlidingSums;
  }[];

  constructor(
    rules: readonly Rule[],
    private readonly rises: CounterRises,
    private readonly transitions: Transitions,
  ) {
    this.increases = rulesOf(rules, "increase").map((rule) => ({
      rule,
      index: rises.indexOf(rule.metric),
      sums: new SlidingSums(rule.within_seconds * 1000, 1),
    }));
    this.bits = rulesOf(rules, "bits").map((rule) => ({
      rule,
      read: readerOf(rule.metric),
      sums: new SlidingSums(rule.within_seconds * 1000, 2),
    }));
  }

  observe(observation: Observation): void {
    const { device, record } = observation;
    for (const each of this.increases) {
      const rise = this.rises.riseOf(each.index);
      if (rise === rise && (rise > 0 || hasWindow(device, each.rule))) this.judgeIncrease(each, observation, rise);
    }
    for (const each of this.bits) {
      const value = each.read(record);
      if (value === undefined || observation.elapsedMs === 0) continue;
      const isSet = (value & each.rule.mask) !== 0;
      if (isSet || hasWindow(device, each.rule)) this.judgeBits(each, observation, isSet);
    }
  }

  private judgeIncrease({ rule, sums }: (typeof this.increases)[number], observation: Observation, rise: number): void {
    const { device, atMs, mayRaise } = observation;
    const window = (device.windows[rule.id] ??= []);
    if (rise > 0) sums.add(window, atMs, [rise]);
    else sums.forget(window, atMs);
    if (window.length === 0) delete device.windows[rule.id];
    const value = sums.total(window);
    const isBad = value > rule.above;
    const why = (): string =>
      `${rule.metric} rose by ${shownNumber(value)} within ${rule.within_seconds} s; more than ${rule.above} is bad.`;
    this.transitions.judge(
      device,
      { isBad, isClear: !isBad, value, atMs, mayRaise, why },
      { rule, durations: { forMs: 0, resolveForMs: 0, maxGapMs: Infinity }, beginning: () => ofDevice(device) },
    );
  }

  private judgeBits({ rule, sums }: (typeof this.bits)[number], observation: Observation, isSet: boolean): void {
    const { device, atMs, mayRaise, isAfterGap } = observation;
    const window = isAfterGap ? (device.windows[rule.id] = []) : (device.windows[rule.id] ??= []);
    sums.add(window, atMs, [isSet ? 1 : 0, 1]);
    const [set, all] = [sums.total(window, 0), sums.total(window, 1)];
    if (set === 0) delete device.windows[rule.id];
    const value = set / all;
    const isBad = value >= rule.share && sums.isFull(window, atMs);
    const why = (): string => {
      const percent = shownNumber(100 * value);
      return `${percent} % of the records of ${rule.within_seconds} s have one of the bits ${rule.mask} of ${rule.metric}.`;
    };
    this.transitions.judge(
      device,
      { isBad, isClear: value < rule.resolve_share, value, atMs, mayRaise, why },
      { rule, durations: { forMs: 0, resolveForMs: 0, maxGapMs: maxGapOf(device) }, beginning: () => ofDevice(device) },
    );
  }
}

/** True if there is something to forget, or a fault that may end: maintenance deletes windows, and not faults. */
function hasWindow(device: DeviceState, { id }: Rule): boolean {
  return device.windows[id] !== undefined || (device.faults.length > 0 && faultOf(device, id) !== undefined);
}
