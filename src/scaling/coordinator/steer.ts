import type { Need, NeedInput } from "./need.ts";
import type { CountLimits } from "./policy.ts";
import { commandText, type Reason, shown } from "./reason.ts";

/** A count, and why. */
export interface Steered {
  readonly desired: number;
  readonly reason: Reason;
  /** Since when the load needs fewer instances; undefined if it does not. */
  readonly belowSinceMs?: number | undefined;
}

/** Moves a count towards what the load needs: up soon and far, down late and by one. */
export function steer(input: NeedInput, need: Need, limits: CountLimits): Steered {
  const { base, policy } = input;
  const { toleranceShare: tolerance } = policy.steps;
  const isAbove = need.instances > base * (need.urgent ? 1 : 1 + tolerance);
  if (isAbove) return stepUp(input, need, limits);
  if (wholeNumber(need.instances * (1 + tolerance)) < base) return stepDown(input, need, limits);
  return { desired: base, reason: { code: "steady", text: need.text } };
}

function stepUp(input: NeedInput, need: Need, { max }: CountLimits): Steered {
  const { base, nowMs, current, policy, memory } = input;
  const hold = (reason: Reason): Steered => ({ desired: base, reason });
  const wanted = wholeNumber(need.instances);
  if (need.noUp !== undefined) return hold(need.noUp);
  if (base >= max) return hold({ code: "at_maximum", text: `${need.text}; needed: ${wanted}` });
  const secondsSinceChange = secondsSince(memory.changedAtMs, nowMs);
  if (current < base && secondsSinceChange < policy.steps.startSeconds) {
    return hold({ code: "starting", text: `${current} of ${base} instances have started` });
  }
  if (secondsSinceChange < policy.steps.upCooldownSeconds) return hold(coolingDown(policy.steps.upCooldownSeconds));
  const desired = Math.min(max, wanted, 2 * base + 2);
  const share = desired < wanted ? `; needed: ${wanted}` : "";
  return { desired, reason: { code: need.upCode, text: `${need.text}${share}` } };
}

function stepDown(input: NeedInput, need: Need, { min }: CountLimits): Steered {
  const { base, nowMs, policy, memory } = input;
  if (base <= min) return { desired: base, reason: { code: "at_minimum", text: need.text } };
  const noDown = need.noDown ?? commanded(input, need);
  if (noDown !== undefined) return { desired: base, reason: noDown };
  const { downCooldownSeconds, downStableSeconds } = policy.steps;
  const belowSinceMs = memory.belowSinceMs ?? nowMs;
  const hold = (reason: Reason): Steered => ({ desired: base, reason, belowSinceMs });
  const belowSeconds = secondsSince(belowSinceMs, nowMs);
  if (secondsSince(memory.changedAtMs, nowMs) < downCooldownSeconds) return hold(coolingDown(downCooldownSeconds));
  if (belowSeconds < downStableSeconds) {
    const text = `${need.text}; fewer are enough for ${shown(belowSeconds)} s (waits ${downStableSeconds} s)`;
    return hold({ code: "stabilising", text });
  }
  return { desired: base - 1, reason: { code: "load_fell", text: need.text } };
}

/** The reason to keep what a command has set; undefined if that was too long ago, or fewer. */
function commanded({ base, nowMs, policy, command }: NeedInput, need: Need): Reason | undefined {
  const { commandHoldSeconds: holdSeconds } = policy.steps;
  if (command === undefined || base > command.count) return undefined;
  const seconds = secondsSince(command.atMs, nowMs);
  if (seconds >= holdSeconds) return undefined;
  const text = `${need.text}; ${commandText(command.count, seconds)} (kept for ${holdSeconds} s)`;
  return { code: "set_by_command", text };
}

function coolingDown(seconds: number): Reason {
  return { code: "cooling_down", text: `the count changed less than ${seconds} s ago` };
}

function secondsSince(instantMs: number | undefined, nowMs: number): number {
  return instantMs === undefined ? Infinity : (nowMs - instantMs) / 1000;
}

/** Rounds up, except for what a calculation with fractions adds. */
function wholeNumber(instances: number): number {
  return Math.ceil(instances - 1e-9);
}
