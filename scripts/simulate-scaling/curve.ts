import type { Outcome } from "./outcome.ts";

/** A load that the collectors get, with the rules that the decisions must keep. */
export interface Curve {
  readonly name: string;
  readonly description: string;
  readonly seconds: number;
  /** Messages that the sources have per second. */
  readonly load: (second: number) => number;
  /** Messages that the database stores per second at most. */
  readonly database: (second: number) => number;
  /** Collectors at the beginning. */
  readonly collectors: number;
  /** @returns the broken rules */
  readonly check: (outcome: Outcome) => readonly string[];
}
