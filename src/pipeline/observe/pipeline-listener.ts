import type { InputTally, RecordBatch } from "../../domain/batch.ts";
import type { ReplayableSource } from "../source/source.ts";
import type { Range } from "../../domain/range.ts";
import type { IngestMessage, IngestResult } from "../store/telemetry-store.ts";

/** Receives the events of the pipeline, for progress bars, instruments and reports. Its methods must not throw or wait. */
export interface PipelineListener {
  /** A replayable source is about to be read, except the ranges that are covered already. */
  sourceOpened(source: ReplayableSource, covered: readonly Range[]): void;
  /** The queue has accepted a message; `tally` counts the message's input. `duplicate`: the message had been published
   *  before, and was not added again. */
  published(tally: InputTally, duplicate: boolean): void;
  /** A message's transaction is committed. */
  stored(message: IngestMessage, result: IngestResult): void;
  /** A delivery failed: its message returns to the queue, or becomes a dead letter. `batch` is undefined if
   *  the payload cannot be decoded. */
  refused(batch: RecordBatch | undefined, error: Error): void;
  /** An operation failed and is tried again. */
  retried(error: Error): void;
  /** Acknowledgements of stale claims were refused: the leases had ended, so the messages may be delivered again. */
  acknowledgedTooLate(messages: number): void;
  /** Every range of a replayable source is published. */
  sourceFinished(source: ReplayableSource): void;
}

/** Ignores every event; spread it into a listener that handles only some events. */
export const silentListener: PipelineListener = {
  sourceOpened: () => undefined,
  published: () => undefined,
  stored: () => undefined,
  refused: () => undefined,
  retried: () => undefined,
  acknowledgedTooLate: () => undefined,
  sourceFinished: () => undefined,
};

/** One listener that passes every event on to several listeners. */
export function fanOut(listeners: readonly PipelineListener[]): PipelineListener {
  return {
    sourceOpened: (source, covered) => listeners.forEach((to) => to.sourceOpened(source, covered)),
    published: (tally, duplicate) => listeners.forEach((to) => to.published(tally, duplicate)),
    stored: (message, result) => listeners.forEach((to) => to.stored(message, result)),
    refused: (batch, error) => listeners.forEach((to) => to.refused(batch, error)),
    retried: (error) => listeners.forEach((to) => to.retried(error)),
    acknowledgedTooLate: (messages) => listeners.forEach((to) => to.acknowledgedTooLate(messages)),
    sourceFinished: (source) => listeners.forEach((to) => to.sourceFinished(source)),
  };
}
