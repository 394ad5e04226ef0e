import type { Checkpoint } from "../../queue/queue.ts";

/** A range or a live source that only this streamer reads and publishes now. */
export interface Claim {
  /** Updated by every publish; undefined if no checkpoint is kept, because the store has the position. */
  readonly checkpoint: Checkpoint | undefined;
  /** Aborts when another streamer may have the claim: this streamer must then stop reading. */
  readonly lost: AbortSignal;
  /** Ends a claim that is not finished. The next streamer continues at the checkpoint, if one is kept. */
  release(): Promise<void>;
}
