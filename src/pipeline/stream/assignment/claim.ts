import type { Checkpoint } from "../../queue/queue.ts";

/** What one streamer alone reads and publishes now: a range, or a live source. */
export interface Claim {
  /** Moves with every publish; undefined if only the store records what was read. */
  readonly checkpoint: Checkpoint | undefined;
  /** Aborts when another streamer may have the claim: nothing more should be read under it. */
  readonly lost: AbortSignal;
  /** Ends a claim that is not finished: the next streamer continues at its checkpoint. */
  release(): Promise<void>;
}
