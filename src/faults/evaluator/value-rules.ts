import type { Rule, RuleOf } from "../rules/rule.ts";
import { rulesOf } from "../rules/rule.ts";
import type { CounterRises } from "./counter-rises.ts";
import { maxGapOf, type Observation, ofDevice, readerOf, shownNumber } from "./observation.ts";
import { faultOf, type Transitions } from "./transitions.ts";

/** The value that a rule judges; NaN if the record has none. */
type ValueOf = (observation: Observation) => number;

interface ValueRule {
  readonly rule: RuleOf<"threshold"> | RuleOf<"rate">;
  readonly valueOf: ValueOf;
  readonly isHeldOnly: boolean;
  /** The utilization below which the value says nothing. */
  readonly busyPercent: number;
}

/** Judges values, and how fast counters rise. */
export class ValueRules {
  private readonly rules: readonly ValueRule[];

  constructor(
    rules: readonly Rule[],
    private readonly rises: CounterRises,
    private readonly transitions: Transitions,
  ) {
    this.rules = [
      ...rulesOf(rules, "threshold").map((rule) => ({
        rule,
        valueOf: valueOf(rule),
        isHeldOnly: rule.held === true,
        busyPercent: rule.busy_percent ?? 0,
      })),
      ...rulesOf(rules, "rate").map((rule) => {
        const index = rises.indexOf(rule.metric);
        return { rule, valueOf: () => this.rises.perSecondOf(index), isHeldOnly: false, busyPercent: 0 };
      }),
    ];
  }

  observe(observation: Observation): void {
    const { device } = observation;
    const isHeld = device.occupants.length > 0;
    for (const each of this.rules) {
      const value = each.valueOf(observation);
      if (value !== value) continue;
      const { above, below } = each.rule;
      const isOver = above === undefined ? value < (below as number) : value > above;
      const isBad = isOver && (isHeld || !each.isHeldOnly);
      // nearly all values of a fleet end here
      if (!isBad && (device.faults.length === 0 || faultOf(device, each.rule.id) === undefined)) continue;
      if (each.busyPercent > 0 && (observation.record.metrics["gpu_utilization"] ?? 0) < each.busyPercent) continue;
      this.judge(each, observation, { value, isBad });
    }
  }

  private judge(each: ValueRule, observation: Observation, { value, isBad }: { value: number; isBad: boolean }): void {
    const { device, atMs, mayRaise } = observation;
    const { rule } = each;
    const isReleased = each.isHeldOnly && device.occupants.length === 0;
    this.transitions.judge(
      device,
      {
        isBad,
        isClear: isReleased || isBack(rule, value),
        value,
        atMs,
        mayRaise,
        why: () => reason(each, observation, value),
      },
      {
        rule,
        durations: durationsOf(rule, maxGapOf(device)),
        beginning: () => ({ ...ofDevice(device), ...actionOf(rule, observation, value) }),
      },
    );
  }
}

/** What to do by the labels of the value; the rule's own action if they name none. */
function actionOf(rule: ValueRule["rule"], { record }: Observation, value: number): { readonly action?: string } {
  if (rule.kind !== "threshold" || rule.actions === undefined) return {};
  const names = seriesWith(rule.metric, record, value);
  const found = Object.entries(rule.actions).find(([text]) => names.some((name) => name.includes(text)));
  return found === undefined ? {} : { action: found[1] };
}

/** The labelled series of a metric that have the value. */
function seriesWith(metric: string, { custom }: Observation["record"], value: number): string[] {
  return Object.keys(custom).filter((name) => name.startsWith(`${metric}{`) && custom[name] === value);
}

/** The durations of a rule in milliseconds. */
export function durationsOf(
  { for_seconds, resolve_for_seconds }: { readonly for_seconds: number; readonly resolve_for_seconds: number },
  maxGapMs: number,
): { readonly forMs: number; readonly resolveForMs: number; readonly maxGapMs: number } {
  return { forMs: for_seconds * 1000, resolveForMs: resolve_for_seconds * 1000, maxGapMs };
}

function isBack({ above, below, resolve }: ValueRule["rule"], value: number): boolean {
  return above === undefined ? value >= (resolve ?? below ?? 0) : value <= (resolve ?? above);
}

function valueOf({ metric, share_of: shareOf }: RuleOf<"threshold">): ValueOf {
  const read = readerOf(metric);
  if (shareOf === undefined) return ({ record }) => read(record) ?? NaN;
  const parts = shareOf.map(readerOf);
  return ({ record }) => {
    let sum = 0;
    for (const part of parts) sum += part(record) ?? NaN;
    return sum > 0 ? (read(record) ?? NaN) / sum : NaN;
  };
}

function reason({ rule, isHeldOnly }: ValueRule, { record, device }: Observation, value: number): string {
  if (isHeldOnly && device.occupants.length === 0) return "No workload holds the device any more.";
  const { metric, above, below } = rule;
  const isShare = rule.kind === "threshold" && rule.share_of !== undefined;
  const what = `${rule.kind === "rate" ? "The rise a second" : isShare ? "The share" : "The value"} of ${metric}`;
  const limit = above === undefined ? `below ${below} is bad` : `above ${above} is bad`;
  const series = seriesWith(metric, record, value);
  return `${what} is ${shownNumber(value)}; ${limit}.${series.map((name) => ` ${name}`).join()}`;
}
