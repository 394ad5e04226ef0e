import type { CommandedCount } from "../executor/executor.ts";
import { collectorNeed } from "./collector-need.ts";
import { gatewayNeed } from "./gateway-need.ts";
import type { RoleMemory } from "./memory.ts";
import type { NeedInput, RoleNeed } from "./need.ts";
import type { ScaledRole, ScalingPolicy } from "./policy.ts";
import type { Reason } from "./reason.ts";
import type { ScalingSignals } from "./signals.ts";
import { steer, type Steered } from "./steer.ts";
import { streamerNeed } from "./streamer-need.ts";

/** Everything that a decision depends on. */
export interface DecisionInput {
  readonly role: ScaledRole;
  readonly nowMs: number;
  /** Live instances of the role, without those that are stopping; undefined if not known. */
  readonly current: number | undefined;
  readonly signals: ScalingSignals;
  readonly policy: ScalingPolicy;
  /** From the decision before; `{}` for the first one. */
  readonly memory: RoleMemory;
  /** The last command of a person about the role. */
  readonly command?: CommandedCount | undefined;
}

/** How many instances of a role there should be. */
export interface Decision {
  /** Undefined if no count was ever decided, and the number of live instances is not known. */
  readonly desired: number | undefined;
  readonly direction: "up" | "down" | "hold";
  readonly reason: Reason;
  /** For the next decision. */
  readonly memory: RoleMemory;
}

/** Decides how many instances of a role there should be. The same input always gives the same decision.
 *  docs/SCALING_AND_KUBERNETES.md describes the rules. */
export function decide(input: DecisionInput): Decision {
  const { role, current, memory, nowMs } = input;
  if (current === undefined) {
    const reason = { code: "instances_unknown", text: "the number of live instances is not known" } as const;
    return { desired: memory.desired, direction: "hold", reason, memory: { ...memory, ...interrupted } };
  }
  const known = { ...input, current, base: baseOf(memory, current) };
  const { base } = known;
  const { desired, reason, belowSinceMs, learned } = decideKnown(known, role);
  const isChanged = desired !== base;
  const isStarted = !isChanged && current >= desired;
  return {
    desired,
    direction: desired > base ? "up" : isChanged ? "down" : "hold",
    reason,
    memory: {
      ...learned,
      desired,
      current,
      decidedAtMs: nowMs,
      changedAtMs: isChanged ? nowMs : memory.changedAtMs,
      startedAtMs: isStarted ? (memory.startedAtMs ?? nowMs) : undefined,
      belowSinceMs: isChanged ? undefined : belowSinceMs,
    },
  };
}

/** The count that a decision starts from: the decided one, as instances that are not alive yet are starting. If instances
 *  were added by other means, it is the number of live ones. */
function baseOf({ desired, current: before }: RoleMemory, current: number): number {
  if (desired === undefined) return current;
  const wereAdded = before !== undefined && current > before && current > desired;
  return wereAdded ? current : desired;
}

/** What an unknown figure interrupts: nothing was observed from one decision to the next. */
const interrupted = { belowSinceMs: undefined, saturated: undefined, depthMessages: undefined };

type RoleDecision = Steered & { readonly learned: RoleMemory };

const needOf: Readonly<Record<ScaledRole, (input: NeedInput) => RoleNeed>> = {
  streamer: streamerNeed,
  collector: collectorNeed,
  gateway: gatewayNeed,
};

function decideKnown(input: NeedInput, role: ScaledRole): RoleDecision {
  const { base, policy, memory } = input;
  const { min, max } = policy[role];
  const unlearned = { ...memory, ...interrupted };
  if (base < min) {
    return {
      desired: min,
      reason: { code: "below_minimum", text: `at least ${min} are configured` },
      learned: unlearned,
    };
  }
  if (base > max) {
    return {
      desired: max,
      reason: { code: "above_maximum", text: `at most ${max} are configured` },
      learned: unlearned,
    };
  }
  const found = needOf[role](input);
  if ("hold" in found) return { desired: base, reason: found.hold, learned: unlearned };
  const steered = steer(input, found.need, { min, max });
  const { learned = {}, trial } = found;
  return { ...steered, learned: steered.desired > base ? { ...learned, trial } : learned };
}
