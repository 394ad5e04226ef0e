import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import type { CounterRises } from "./counter-rises.ts";
import { maxGapOf, type Observation, ofDevice, readerOf, shownNumber } from "./observation.ts";
import type { DeviceState } from "./state.ts";
import { faultOf, type Transitions } from "./transitions.ts";
import { durationsOf } from "./value-rules.ts";

interface SiblingRule {
  readonly rule: RuleOf<"siblings">;
  /** The value to compare; NaN if the record has none. */
  readonly valueOf: (observation: Observation) => number;
}

/** A value is compared while it is at most this old, or three intervals. */
const freshMs = 60_000;

/** Compares each device with the others of its job that have the same model, on its host or everywhere: with their median, by their
 *  median absolute deviation (MAD). On one host, devices of which no workload is known are compared too. A device stays in its own comparison, where it moves the median of many devices little. */
export class SiblingRules {
  private readonly rules: readonly SiblingRule[];

  constructor(
    rules: readonly Rule[],
    rises: CounterRises,
    private readonly transitions: Transitions,
  ) {
    this.rules = rulesOf(rules, "siblings").map((rule) => {
      const read = readerOf(rule.metric);
      const index = rises.indexOf(rule.metric);
      return { rule, valueOf: rule.per_second ? () => rises.perSecondOf(index) : ({ record }) => read(record) ?? NaN };
    });
  }

  /** Keeps the values that are compared at the next `advance`. */
  observe(observation: Observation): void {
    const { device, record, atMs } = observation;
    for (const { rule, valueOf } of this.rules) {
      const value = valueOf(observation);
      if (value !== value) continue;
      const isBusy = rule.busy_percent === 0 || (record.metrics["gpu_utilization"] ?? 0) >= rule.busy_percent;
      const kept = (device.compared[rule.id] ??= [0, 0]);
      kept[0] = value;
      kept[1] = isBusy ? atMs : 0;
    }
  }

  advance(devices: Iterable<DeviceState>, nowMs: number): void {
    if (this.rules.length === 0) return;
    const all = [...devices];
    for (const { rule } of this.rules) {
      const groups = Map.groupBy(
        all.filter((device) => isCompared(device, rule, nowMs)),
        (device) => groupOf(device, rule),
      );
      for (const group of groups.values()) this.compare(group, rule);
      for (const device of all) if (device.faults.length > 0) this.endLonely(device, rule, nowMs);
    }
  }

  private compare(group: readonly DeviceState[], rule: RuleOf<"siblings">): void {
    if (group.length < rule.min_devices) return;
    const middle = medianOf(group.map((device) => valueOf(device, rule)));
    // all pause together, for example while a job saves its state: that says nothing about any of them
    if (middle < rule.min_median) return;
    const mad = medianOf(group.map((device) => Math.abs(valueOf(device, rule) - middle)));
    const limit = Math.max(rule.mads * mad, rule.min_difference, rule.min_share * Math.abs(middle));
    for (const device of group) this.judge(device, rule, { middle, limit, count: group.length });
  }

  private judge(device: DeviceState, rule: RuleOf<"siblings">, { middle, limit, count }: Comparison): void {
    const [value, atMs] = device.compared[rule.id] as [number, number];
    const difference = rule.direction === "above" ? value - middle : middle - value;
    const isBad = difference > limit;
    if (!isBad && device.faults.length === 0) return;
    const why = (): string =>
      `${rule.metric}${rule.per_second ? " a second" : ""} is ${shownNumber(value)}; the median of ${count} devices of the ${rule.of === "host" ? "job on the host" : "job"} is ${shownNumber(middle)}, and ${shownNumber(limit)} ${rule.direction} it is bad.`;
    this.transitions.judge(
      device,
      { isBad, isClear: !isBad, value, atMs, mayRaise: !device.isSuppressed, why },
      { rule, durations: durationsOf(rule, maxGapOf(device)), beginning: () => ofDevice(device) },
    );
  }

  /** Ends the fault of a device that reports, if its job is over, or if it has had nothing to be compared with for longer than a pause. */
  private endLonely(device: DeviceState, rule: RuleOf<"siblings">, nowMs: number): void {
    const fault = faultOf(device, rule.id);
    if (fault === undefined || nowMs - device.lastMs > maxAge(device)) return;
    const isOver = device.jobSinceMs > fault.startedAtMs;
    if (!isOver && device.lastMs - fault.judgedMs <= maxGapOf(device)) return;
    const why = isOver ? "Its job is over." : "There has been nothing to compare the device with for some minutes.";
    this.transitions.resolve(device, fault, { atMs: device.lastMs, why });
  }
}

interface Comparison {
  readonly middle: number;
  readonly limit: number;
  readonly count: number;
}

const maxAge = ({ intervalMs }: DeviceState): number => Math.max(freshMs, 3 * intervalMs);
const valueOf = (device: DeviceState, { id }: Rule): number => device.compared[id]?.[0] ?? NaN;

function isCompared(device: DeviceState, { id, of }: RuleOf<"siblings">, nowMs: number): boolean {
  const atMs = device.compared[id]?.[1] ?? 0;
  if (atMs === 0 || nowMs - atMs > maxAge(device) || device.isSuppressed) return false;
  return device.job !== "" || (of === "host" && device.occupants.length === 0);
}

function groupOf({ clusterId, hostname, job, modelName }: DeviceState, { of }: RuleOf<"siblings">): string {
  return `${clusterId}\n${of === "host" ? hostname : ""}\n${job}\n${modelName}`;
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}
