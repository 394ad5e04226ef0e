import { paceAt } from "../../pipeline/queue/pace.ts";
import { learn } from "./learn.ts";
import type { Need, NeedInput, RoleNeed } from "./need.ts";
import { isSaturated, type QueueFigures, readQueue, stuckShare } from "./queue-figures.ts";
import { type Reason, shown } from "./reason.ts";

/** The collectors that store what arrives, and what waits within `drainSeconds`.
 *  @returns a reason to hold if a figure is missing or too old */
export function collectorNeed(input: NeedInput): RoleNeed {
  const read = readQueue(input);
  if ("hold" in read) return read;
  const { figures } = read;
  const trial = { from: input.current, drainPerSecond: figures.drainPerSecond };
  return {
    need: needOf(input, figures),
    learned: learn(input, figures),
    trial: isSaturated(input, figures) ? trial : undefined,
  };
}

function needOf(input: NeedInput, figures: QueueFigures): Need {
  const { policy, memory, base } = input;
  const { ageTargetSeconds } = policy.collector;
  const isLate = figures.ageSeconds > ageTargetSeconds;
  const lateness = `the oldest message is ${shown(figures.ageSeconds)} s old (target ${ageTargetSeconds} s)`;
  const noDown: Reason | undefined = isLate ? { code: "age_over_target", text: lateness } : undefined;
  const vetoes = { noUp: noGain(input, figures), noDown };
  const { ratePerSecond: rate } = memory;
  if (rate === undefined) return { ...withoutRate(input, figures, lateness), ...vetoes };
  const arrivals = arrivalsPerSecond(input, figures);
  const demand = arrivals / paceOf(input, figures);
  const perSecond = demand + figures.waiting / policy.collector.drainSeconds;
  const wanted = perSecond / rate;
  // collectors that store far less than usual do not show how many are needed: try half as many more
  const isStuck = wanted > base && figures.drainPerSecond < stuckShare * rate * input.current;
  const instances = isStuck ? Math.min(wanted, halfMore(base)) : wanted;
  return {
    instances,
    upCode: "load",
    text: loadText({ ...figures, arrivalPerSecond: arrivals }, demand, rate),
    urgent: isLate,
    ...vetoes,
  };
}

/** Before the collectors were busy, their rate is not known: the count follows the age of the oldest message, step by step. */
function withoutRate(input: NeedInput, figures: QueueFigures, lateness: string): Omit<Need, "noUp" | "noDown"> {
  const { base, policy } = input;
  const { ageTargetSeconds } = policy.collector;
  const isLate = figures.ageSeconds > ageTargetSeconds;
  if (isLate && isSaturated(input, figures)) {
    return { instances: halfMore(base), upCode: "rate_unknown", text: lateness, urgent: true };
  }
  const isIdle = figures.waiting === 0 && figures.ageSeconds <= ageTargetSeconds / 2;
  // a step down shows whether one instance less is enough
  const instances = isIdle ? (base - 1) / (1 + policy.steps.toleranceShare) : base;
  const text = isIdle ? "no message waits" : "the rate of a busy collector is not known yet";
  return { instances, upCode: "rate_unknown", text, urgent: false };
}

/** Messages that arrive. Streamers report them some seconds late; a queue that grows shows them at once. */
function arrivalsPerSecond(input: NeedInput, figures: QueueFigures): number {
  const { memory, nowMs } = input;
  const { depthMessages: before, decidedAtMs } = memory;
  const { depth, arrivalPerSecond } = figures;
  if (before === undefined || decidedAtMs === undefined || !isSaturated(input, figures)) return arrivalPerSecond;
  const seconds = Math.max(1, (nowMs - decidedAtMs) / 1000);
  // without what was stored meanwhile, which is reported late as well
  return Math.max(arrivalPerSecond, (depth - before) / seconds);
}

/** The streamers' pace since the last decision: while the queue slows them, less arrives than the sources have. */
function paceOf({ policy, memory }: NeedInput, { depth }: QueueFigures): number {
  const { marks } = policy.collector;
  return (paceAt(depth, marks) + paceAt(memory.depthMessages ?? depth, marks)) / 2;
}

function noGain({ memory, current }: NeedInput, figures: QueueFigures): Reason | undefined {
  const { failing, drainPerSecond, waiting } = figures;
  const expected = stuckShare * (memory.ratePerSecond ?? 0) * current;
  if (failing !== undefined && current > 0 && failing >= current && drainPerSecond <= expected) {
    return {
      code: "no_gain",
      text: `${current === 1 ? "the collector reports" : `all ${current} collectors report`} an error; messages waiting: ${shown(waiting)}`,
    };
  }
  if (memory.noGain === undefined) {
    // a step whose gain is not known yet, and collectors that store less than they should
    const isUnproven = memory.trial !== undefined && drainPerSecond <= expected;
    return isUnproven ? { code: "gain_unknown", text: "the gain of the last step is not known yet" } : undefined;
  }
  return {
    code: "no_gain",
    text: `more collectors stored no more than before: ${shown(memory.noGain.drainPerSecond)} messages/s`,
  };
}

function halfMore(base: number): number {
  return Math.max(base + 1, Math.ceil(base * 1.5));
}

function loadText({ arrivalPerSecond, waiting }: QueueFigures, demand: number, rate: number): string {
  const isSlowed = demand > arrivalPerSecond * 1.01;
  const slowed = isSlowed ? ` (the sources have ${shown(demand)}, but the queue slows streamers)` : "";
  return `${shown(arrivalPerSecond)} messages/s arrive${slowed}, ${shown(waiting)} wait; a collector stores ${shown(rate)}/s`;
}
