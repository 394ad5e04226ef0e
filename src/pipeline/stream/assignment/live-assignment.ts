import type { LiveSource } from "../../source/source.ts";
import type { Claim } from "./claim.ts";
import type { KnownPosition } from "./known-position.ts";

/** A live source that only this streamer reads and publishes now. */
export interface ClaimedSource extends Claim, KnownPosition {
  /** Time of the last batch that any process has published. If there is none: -Infinity for the first claim of the source; for a later
   *  one, the time of the first claim if it is known. */
  readonly afterMs: number;
}

/** Assigns each live source to one of the streamers that share it, and to another streamer when the owner dies or releases
 *  the source. */
export interface LiveAssignment {
  /** Claims a source; waits while another streamer has it.
   *  @param onWaiting called with the owner's id whenever the driver has found that another streamer has it
   *  @returns undefined when the signal aborted
   *  @throws an error of the driver */
  claim(
    source: LiveSource,
    signal: AbortSignal,
    onWaiting?: (owner: string) => void,
  ): Promise<ClaimedSource | undefined>;
  /** Releases every claim. Idempotent. */
  close(): Promise<void>;
}
