import type { Range } from "../../../domain/range.ts";
import type { ReplayableSource } from "../../source/source.ts";
import type { Claim } from "./claim.ts";

/** A range of a source that this streamer alone reads and publishes now. */
export interface ClaimedRange extends Claim {
  /** The part of it that is not published yet. */
  readonly range: Range;
  /** The whole range is published: no streamer reads it again. */
  finish(): Promise<void>;
}

/** Assigns the unread ranges of a replayable source to the streamers that share it. */
export interface RangeAssignment {
  /** The ranges of a source that are published already, in order, touching ones joined.
   *  @throws a retryable error of the driver */
  covered(source: ReplayableSource): Promise<readonly Range[]>;
  /** Claims the next range that no streamer has; if others have everything that is left, waits until one of them releases
   *  a range or everything is read.
   *  @returns undefined when nothing is left to read, or the signal aborted
   *  @throws a retryable error of the driver */
  claim(source: ReplayableSource, signal: AbortSignal): Promise<ClaimedRange | undefined>;
  /** Releases every claim. Idempotent. */
  close(): Promise<void>;
}
