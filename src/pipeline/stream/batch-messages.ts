import type { InputTally, RecordBatch } from "../../domain/batch.ts";
import { splitBatch } from "../../domain/split-batch.ts";
import { type EncodedBatch, encodeBatch } from "../queue/batch-codec.ts";
import type { NewMessage } from "../queue/queue.ts";
import type { SourceBatch } from "../source/source.ts";

/** A message on its way into the queue, and what of the input it carries. */
export interface OutgoingMessage {
  readonly message: NewMessage;
  readonly tally: InputTally;
}

/** The messages of a batch: one, or several where its payload would pass the limit. A message's key names its stretch of
 *  the source (and its part), so that the same stretch is the same message whoever reads it.
 *
 *  The parts before the last cover nothing of the source: its position may move only when the last part is in. */
export function messagesOf({ range, batch }: SourceBatch, maxBytes: number): OutgoingMessage[] {
  const parts = partsOf(batch, maxBytes);
  const stretch = `${range.sourceId}:${range.from.offset}-${range.to.offset}`;
  const traceId = crypto.randomUUID();
  return parts.map(({ part, encoded }, index) => {
    const isLast = index === parts.length - 1;
    const message: NewMessage = {
      ...encoded,
      idempotencyKey: parts.length === 1 ? stretch : `${stretch}#${index + 1}of${parts.length}`,
      traceId,
      count: part.recordCount,
      source: isLast ? range : { ...range, to: range.from },
    };
    return { message, tally: part.tally };
  });
}

/** Halves what does not fit, until it fits or cannot be halved: one record always fits. */
function partsOf(batch: RecordBatch, maxBytes: number): { part: RecordBatch; encoded: EncodedBatch }[] {
  const encoded = encodeBatch(batch);
  const halves = encoded.payload.length > maxBytes ? splitBatch(batch) : undefined;
  if (halves === undefined) return [{ part: batch, encoded }];
  return halves.flatMap((half) => partsOf(half, maxBytes));
}
