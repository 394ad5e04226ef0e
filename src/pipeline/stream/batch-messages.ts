import type { InputTally, RecordBatch } from "../../domain/batch.ts";
import { instantRange, type SourceRange } from "../../domain/range.ts";
import { splitBatch } from "../../domain/split-batch.ts";
import { type EncodedBatch, encodeBatch } from "../queue/batch-codec.ts";
import type { NewMessage } from "../queue/queue.ts";
import type { LiveBatch, RangeBatch } from "../source/source.ts";

/** A batch with its key and range. Every process gives the same batch the same key and range. */
export interface KeyedBatch {
  readonly idempotencyKey: string;
  readonly source: SourceRange;
  readonly batch: RecordBatch;
}

/** A message on its way into the queue, and the counts of the input that it carries. */
export interface OutgoingMessage {
  readonly message: NewMessage;
  readonly tally: InputTally;
}

/** Gives a batch of a replayable source its key: the source's id and the offsets of the batch's range. */
export function keyedByRange({ range, batch }: RangeBatch): KeyedBatch {
  return { idempotencyKey: `${range.sourceId}:${range.from.offset}-${range.to.offset}`, source: range, batch };
}

/** Gives a live batch its range, and its records their reading; the batch already has a key. */
export function keyedByInstant(sourceId: string, { timeMs, idempotencyKey, batch, reading }: LiveBatch): KeyedBatch {
  const source = instantRange(sourceId, timeMs);
  return { idempotencyKey, source, batch: reading === undefined ? batch : { ...batch, reading } };
}

/** The messages of a batch: one, or several if its payload would be larger than the limit. Each of several messages has the
 *  batch's key with a number.
 *
 *  Messages before the last one cover no part of the source: its position may move only when the last one is published. A live source
 *  cannot be read again, so all of them are published together. */
export function messagesOf({ idempotencyKey, source, batch }: KeyedBatch, maxBytes: number): OutgoingMessage[] {
  const parts = partsOf(batch, maxBytes);
  const traceId = crypto.randomUUID();
  return parts.map(({ part, encoded }, index) => {
    const isLast = index === parts.length - 1;
    const message: NewMessage = {
      ...encoded,
      idempotencyKey: parts.length === 1 ? idempotencyKey : `${idempotencyKey}#${index + 1}of${parts.length}`,
      traceId,
      count: part.recordCount,
      source: isLast ? source : { ...source, to: source.from },
      ...(isLast ? {} : { continues: true }),
    };
    return { message, tally: part.tally };
  });
}

/** Halves a batch until each part fits or has only one record or rejected input. */
function partsOf(batch: RecordBatch, maxBytes: number): { part: RecordBatch; encoded: EncodedBatch }[] {
  const encoded = encodeBatch(batch);
  const halves = encoded.payload.length > maxBytes ? splitBatch(batch) : undefined;
  if (halves === undefined) return [{ part: batch, encoded }];
  return halves.flatMap((half) => partsOf(half, maxBytes));
}
