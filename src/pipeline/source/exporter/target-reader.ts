import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { ReceivedExposition } from "../exposition/scanned-exposition.ts";

/** What an answer contained. */
export interface ReadAnswer {
  /** The dialect of its metrics' names; undefined while unknown. */
  readonly dialect: string | undefined;
  readonly devices: number;
  /** Samples that were added to the batch. */
  readonly samples: number;
  /** Samples that do not describe GPUs. */
  readonly ignored: number;
  /** Lines that could not be used. */
  readonly rejected: number;
  /** Samples whose unit is not known yet. */
  readonly undecided: number;
  /** True if the answer ends in a line, as one that was cut off does. */
  readonly isCut: boolean;
}

/** Reads the answers of one target. */
export interface TargetReader {
  /** Adds the samples of an answer to a batch.
   *  @param timeMs the time of the records */
  read(answer: ReceivedExposition, timeMs: number, builder: BatchBuilder): ReadAnswer;
}
