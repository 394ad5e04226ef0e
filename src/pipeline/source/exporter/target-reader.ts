import type { BatchBuilder } from "../../../domain/batch-builder.ts";

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
}

/** Reads the answers of one target. */
export interface TargetReader {
  /** Adds the samples of an answer to a batch.
   *  @param bytes the text of the answer
   *  @param timeMs the time of the records */
  read(bytes: Uint8Array, timeMs: number, builder: BatchBuilder): ReadAnswer;
}
