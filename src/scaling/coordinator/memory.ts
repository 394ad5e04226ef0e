import type { CommandedCount } from "../executor/executor.ts";

/** What a decision about a role remembers from the earlier ones. It is plain JSON, so that the next leader can continue. */
export interface RoleMemory {
  /** The count that was decided last. */
  readonly desired?: number | undefined;
  /** When that count was decided, if it differed from the one before. */
  readonly changedAtMs?: number | undefined;
  /** When the last decision was made. */
  readonly decidedAtMs?: number | undefined;
  /** The last command of a person: not every executor tells the next leader. */
  readonly command?: CommandedCount | undefined;
  /** The number of live instances at the last decision. */
  readonly current?: number | undefined;
  /** Since when every decided instance is alive. */
  readonly startedAtMs?: number | undefined;
  /** Since when the load needs fewer instances than there are. */
  readonly belowSinceMs?: number | undefined;
  /** Messages that one collector stores per second when it is busy all the time. */
  readonly ratePerSecond?: number | undefined;
  /** True if each collector had a message waiting at the last decision. */
  readonly saturated?: boolean | undefined;
  /** Depth of the queue at the last decision. */
  readonly depthMessages?: number | undefined;
  /** The last step up, until its gain is known. */
  readonly trial?: { readonly from: number; readonly drainPerSecond: number } | undefined;
  /** The last step up had no gain. */
  readonly noGain?: { readonly sinceMs: number; readonly drainPerSecond: number } | undefined;
}
