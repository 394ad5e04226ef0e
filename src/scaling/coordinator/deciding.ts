import { ulid } from "ulid";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { Term } from "../election/leader-election.ts";
import type { CommandedCount } from "../executor/executor.ts";
import { decide } from "./decide.ts";
import { liveOf, type Observed, signalsOf } from "./gather.ts";
import type { RoleMemory } from "./memory.ts";
import { type ScaledRole, scaledRoles, type ScalingPolicy } from "./policy.ts";
import { commandText } from "./reason.ts";
import type { Memories, ScalingUpdate } from "./scaling-records.ts";
import type { ScalingDecision } from "./scaling-state.ts";
import { showPolicy, showSignals } from "./show-state.ts";
import type { ScalingSignals } from "./signals.ts";

/** What was requested from the executor last about each role; absent if not known. */
export type Requested = Readonly<Partial<Record<ScaledRole, RequestedRole>>>;

/** What was requested from the executor last about a role. */
export interface RequestedRole {
  /** Undefined if the executor has not accepted the last decision yet. */
  readonly count: number | undefined;
  readonly command: CommandedCount | undefined;
}

/** What the decisions about all roles are made from. */
export interface DecidingInput {
  readonly observed: Observed;
  /** What was requested from the executor last. */
  readonly requested: Requested;
  readonly memories: Memories;
  readonly policy: ScalingPolicy;
  readonly executor: string;
  readonly term: Term;
  readonly instanceId: string;
}

/** The decisions about all roles, in the form in which they are recorded. */
export interface Decided {
  readonly update: ScalingUpdate;
  /** The decision about each role whose count is known. */
  readonly decisions: readonly ScalingDecision[];
}

/** Decides about every role. */
export function decideAll(input: DecidingInput): Decided {
  const { observed, policy } = input;
  const { nowMs } = observed;
  const signals = signalsOf(observed);
  const outcomes = scaledRoles.map((role) => outcomeOf(role, input, signals));
  const decisions = outcomes.flatMap(({ decision }) => decision ?? []);
  const desired = Object.fromEntries(decisions.map(({ role, to }) => [role, to]));
  const { waitingMessages, inFlightMessages, oldestAgeSeconds } = signals.queue;
  return {
    decisions,
    update: {
      atMs: nowMs,
      memories: Object.fromEntries(outcomes.map(({ role, memory }) => [role, memory])),
      changes: decisions.filter(({ direction }) => direction !== "hold"),
      figures: {
        backlogMessages: waitingMessages && waitingMessages.value + (inFlightMessages?.value ?? 0),
        oldestAgeSeconds: oldestAgeSeconds?.value,
        desired,
      },
      state: {
        as_of: formatTimestamp(nowMs),
        executor: input.executor,
        policy: showPolicy(policy),
        signals: showSignals(signals),
        desired,
        actual: Object.fromEntries(outcomes.flatMap(({ role, live }) => (live === undefined ? [] : [[role, live]]))),
        newest: [...decisions],
      },
    },
  };
}

interface Outcome {
  readonly role: ScaledRole;
  readonly live: number | undefined;
  readonly memory: RoleMemory;
  readonly decision: ScalingDecision | undefined;
}

function outcomeOf(role: ScaledRole, input: DecidingInput, signals: ScalingSignals): Outcome {
  const { observed, memories, requested, policy, term, instanceId } = input;
  const { nowMs, instances } = observed;
  const live = instances && liveOf(instances, role).length;
  const before = { ...memories[role] };
  const { count, command = before.command } = requested[role] ?? {};
  // if the count was changed by other means, the next decision starts from there
  const memory = {
    ...before,
    desired: count ?? before.desired,
    changedAtMs: command === undefined ? before.changedAtMs : Math.max(before.changedAtMs ?? 0, command.atMs),
  };
  const decided = decide({ role, nowMs, current: live, signals, policy, memory, command });
  const { desired, direction, reason } = decided;
  const next = { ...decided.memory, command };
  if (desired === undefined) return { role, live, memory: next, decision: undefined };
  const decision: ScalingDecision = {
    id: ulid(nowMs),
    at: formatTimestamp(nowMs),
    role,
    direction,
    from: memory.desired ?? live ?? desired,
    to: desired,
    code: reason.code,
    reason: direction === "hold" ? reason.text : reason.text + afterCommand(command, nowMs, policy),
    term: Number(term.revision),
    instance_id: instanceId,
  };
  return { role, live, memory: next, decision };
}

/** What a change adds to its reason if it changes what a command has set a short time ago. */
function afterCommand(command: CommandedCount | undefined, nowMs: number, { steps }: ScalingPolicy): string {
  const seconds = command === undefined ? Infinity : (nowMs - command.atMs) / 1000;
  if (command === undefined || seconds > steps.commandHoldSeconds) return "";
  return `; ${commandText(command.count, seconds)}`;
}
