/** Why a count is changed or kept; docs/SCALING_AND_KUBERNETES.md explains the codes. */
export const reasonCodes = [
  // up
  "load",
  "rate_unknown",
  "below_minimum",
  // down
  "load_fell",
  "above_maximum",
  // hold
  "steady",
  "cooling_down",
  "starting",
  "stabilising",
  "age_over_target",
  "set_by_command",
  "at_maximum",
  "at_minimum",
  "gain_unknown",
  "no_gain",
  "queue_full",
  "signals_missing",
  "signals_stale",
  "instances_unknown",
] as const;

/** One of the codes. */
export type ReasonCode = (typeof reasonCodes)[number];

/** The reason for a decision. */
export interface Reason {
  readonly code: ReasonCode;
  /** One sentence with the figures, for people. */
  readonly text: string;
}

/** A figure as a reason shows it: with at most one decimal. */
export function shown(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A figure and what it counts: "1 target", "2.5 targets". */
export function counted(value: number, thing: string): string {
  const figure = shown(value);
  return figure === "1" ? `1 ${thing}` : `${figure} ${thing}s`;
}

/** Says that a command set the count; in whole seconds. */
export function commandText(count: number, secondsAgo: number): string {
  return `${Math.round(secondsAgo)} s ago, a command set ${count}`;
}
