import type { Stretch } from "../../../domain/range.ts";
import type { Checkpoint } from "../../queue/queue.ts";
import type { ReadRange, Source } from "../../source/source.ts";

/** A stretch of a source that this streamer alone reads and publishes now. */
export interface ClaimedRange {
  readonly range: ReadRange;
  /** To be moved with every publish; undefined where the store alone knows what was read. */
  readonly checkpoint: Checkpoint | undefined;
  /** Aborts when the range may be another's by now: nothing more of it should be read. */
  readonly lost: AbortSignal;
  /** All of the range is published: nobody reads it again. */
  finish(): Promise<void>;
  /** Gives up a range that is not finished: whoever claims it next goes on where its checkpoint is. */
  release(): Promise<void>;
}

/** Deals out what is left to read of a source among the streamers that share it. */
export interface RangeAssignment {
  /** What of a source needs no reading any more, in order, touching stretches joined.
   *  @throws a retryable error of the driver */
  covered(source: Source): Promise<readonly Stretch[]>;
  /** Claims the next stretch that is nobody's; while others have all that is left, waits until one of them gives up or
   *  everything is read.
   *  @returns undefined when nothing is left to read, or the signal aborted
   *  @throws a retryable error of the driver */
  claim(source: Source, signal: AbortSignal): Promise<ClaimedRange | undefined>;
  /** Gives back what is claimed. Idempotent. */
  close(): Promise<void>;
}
