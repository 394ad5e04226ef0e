import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { ReadExposition } from "../exposition/exposition-reader.ts";
import type { ReceivedExposition } from "../exposition/scanned-exposition.ts";

/** Reads the answers of one target. */
export interface TargetReader {
  /** Adds the samples of an answer to a batch.
   *  @param timeMs the time of the records */
  read(answer: ReceivedExposition, timeMs: number, builder: BatchBuilder): ReadExposition;
}
