import type { Range } from "../../../domain/range.ts";
import type { ReplayableSource } from "../../source/source.ts";
import type { Claim } from "./claim.ts";

/** A range of a source that only this streamer reads and publishes now. */
export interface ClaimedRange extends Claim {
  /** The part that was not published when the range was claimed. */
  readonly range: Range;
  /** The ranges that were left to read at the claim, this one included, divided among the streamers that read. */
  readonly share: number;
  /** Marks the whole range as published: no streamer reads it again. */
  finish(): Promise<void>;
}

/** Assigns the unread ranges of a replayable source to the streamers that share it. */
export interface RangeAssignment {
  /** The ranges of a source that need not be read again, in order; adjacent ranges are joined.
   *  @throws an error of the driver */
  covered(source: ReplayableSource): Promise<readonly Range[]>;
  /** Claims the next range that no streamer has. If other streamers have all ranges that are left, waits until one of them
   *  releases a range or everything is read.
   *  @param onWaiting called whenever the driver has found that other streamers have all ranges
   *  @returns undefined when nothing is left to read, or the signal aborted
   *  @throws an error of the driver */
  claim(source: ReplayableSource, signal: AbortSignal, onWaiting?: () => void): Promise<ClaimedRange | undefined>;
  /** Removes the positions of a source that is not read any more. A claim of it is lost.
   *  @throws an error of the driver */
  forget(sourceId: string): Promise<void>;
  /** Resolves to true as soon as positions that were there when it was called are lost: the source has to be claimed again, even if
   *  everything was read. @returns false if that cannot happen, or when the signal aborts */
  positionsLost(signal: AbortSignal): Promise<boolean>;
  /** Releases every claim. Idempotent. */
  close(): Promise<void>;
}
