import type { Leader, Term } from "../election/leader-election.ts";
import type { RoleMemory } from "./memory.ts";
import type { ScaledRole } from "./policy.ts";
import type { ScalingDecision, ScalingState } from "./scaling-state.ts";

/** Plain numbers for autoscalers. A figure that is not known is absent, never 0. */
export interface ScalingFigures {
  /** Messages that wait for a collector, or that a collector has claimed. */
  readonly backlogMessages?: number | undefined;
  readonly oldestAgeSeconds?: number | undefined;
  readonly desired: Readonly<Partial<Record<ScaledRole, number>>>;
}

/** What decisions remember, by role. */
export type Memories = Readonly<Partial<Record<ScaledRole, RoleMemory>>>;

/** What a leader writes after it has decided. */
export interface ScalingUpdate {
  readonly state: ScalingState;
  readonly memories: Memories;
  readonly figures: ScalingFigures;
  /** The decisions that changed a count. */
  readonly changes: readonly ScalingDecision[];
  readonly atMs: number;
}

/** What is recorded. */
export interface RecordedScaling {
  /** Undefined if no process leads. */
  readonly leader: Leader | undefined;
  /** Undefined if no leader has decided yet. It outlives its leader. */
  readonly state: ScalingState | undefined;
  readonly memories: Memories;
  /** They end with their leader. */
  readonly figures: ScalingFigures;
  /** The decisions that changed a count, newest first. */
  readonly changes: readonly ScalingDecision[];
}

/** The time for which decisions are kept. */
export const decisionsKeptMs = 7 * 86_400_000;

/** The coordinator's records, which all processes can read. */
export interface ScalingRecords {
  /** Writes everything or nothing, and deletes decisions that are too old.
   *  @throws TermEnded if the term has ended; an error of the driver */
  write(term: Term, update: ScalingUpdate): Promise<void>;
  /** @param maxChanges at most this many changes
   *  @throws an error of the driver */
  read(maxChanges: number): Promise<RecordedScaling>;
}
