import type { CommandedCount } from "../executor/executor.ts";
import type { RoleMemory } from "./memory.ts";
import type { ScalingPolicy } from "./policy.ts";
import type { Reason } from "./reason.ts";
import type { ScalingSignals, Signal } from "./signals.ts";

/** What the need for instances is calculated from. */
export interface NeedInput {
  readonly nowMs: number;
  /** Live instances. */
  readonly current: number;
  /** The count that the decision starts from: live instances and those that are still starting. */
  readonly base: number;
  readonly signals: ScalingSignals;
  readonly policy: ScalingPolicy;
  readonly memory: RoleMemory;
  /** The last command of a person about the role. */
  readonly command?: CommandedCount | undefined;
}

/** How many instances a load needs. */
export interface Need {
  /** Not rounded. */
  readonly instances: number;
  /** Why the count rises, if it does. */
  readonly upCode: "load" | "rate_unknown";
  /** The figures, for people. */
  readonly text: string;
  /** True if the need counts even if it is within the tolerance. */
  readonly urgent: boolean;
  /** Why the count must not rise. */
  readonly noUp?: Reason | undefined;
  /** Why the count must not fall. */
  readonly noDown?: Reason | undefined;
}

/** The need of a role, and what its figures teach for the next decisions; a reason to hold if a figure is not known. */
export type RoleNeed =
  | { readonly hold: Reason }
  | {
      readonly need: Need;
      readonly learned?: RoleMemory;
      /** What the gain of a step up is compared with. */
      readonly trial?: RoleMemory["trial"];
    };

/** Reads signals by name. Those of `optional` may be absent, but not old.
 *  @returns the values of those that are known; a reason to hold if one is missing or too old */
export function readSignals<Required extends string, Optional extends string = never>(
  { nowMs, policy }: Pick<NeedInput, "nowMs" | "policy">,
  required: Readonly<Record<Required, Signal | undefined>>,
  optional?: Readonly<Record<Optional, Signal | undefined>>,
): { readonly values: SignalValues<Required, Optional> } | { readonly hold: Reason } {
  const { maxSignalAgeSeconds: maxSeconds } = policy.steps;
  const entries = Object.entries<Signal | undefined>({ ...required, ...optional });
  const missing = entries.filter(([name, signal]) => signal === undefined && name in required);
  if (missing.length > 0) {
    return { hold: { code: "signals_missing", text: `not known: ${namesOf(missing)}` } };
  }
  const known = entries.filter((entry): entry is [string, Signal] => entry[1] !== undefined);
  // an instant in the future is as wrong as an old one: this machine's clock was set back
  const stale = known.filter(([, { atMs }]) => Math.abs(nowMs - atMs) > maxSeconds * 1000);
  if (stale.length > 0) {
    return {
      hold: { code: "signals_stale", text: `older than ${maxSeconds} s: ${namesOf(stale)}` },
    };
  }
  return {
    values: Object.fromEntries(known.map(([name, { value }]) => [name, value])) as SignalValues<Required, Optional>,
  };
}

/** The names that these signals have in the API. */
function namesOf(signals: readonly (readonly [string, unknown])[]): string {
  return signals.map(([name]) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).join(", ");
}

type SignalValues<Required extends string, Optional extends string> = Readonly<
  Record<Required, number> & Partial<Record<Optional, number>>
>;
