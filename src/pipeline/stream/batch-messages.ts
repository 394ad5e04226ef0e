import type { InputTally, RecordBatch } from "../../domain/batch.ts";
import { instantRange, type SourceRange } from "../../domain/range.ts";
import { defined } from "../../kit/defined.ts";
import { newTraceId } from "../../kit/trace-context.ts";
import type { Span } from "../../kit/tracing.ts";
import { splitBatch } from "../../domain/split-batch.ts";
import { type EncodedBatch, encodeBatch } from "../queue/batch-codec.ts";
import type { NewMessage } from "../queue/queue.ts";
import type { LiveBatch, RangeBatch } from "../source/source.ts";

/** A batch with its key and range. Every process gives the same batch the same key and range. */
export interface KeyedBatch {
  readonly idempotencyKey: string;
  readonly source: SourceRange;
  readonly batch: RecordBatch;
  /** The span of its publication. Absent: its trace is not recorded. */
  readonly span?: Span | undefined;
  /** The trace that it is a part of, if that is not recorded. Absent: none of which anyone knows. */
  readonly traceId?: string | undefined;
}

/** A live batch with the span of its publication, if its trace is recorded. */
export interface TracedBatch extends LiveBatch {
  readonly span?: Span | undefined;
}

/** A scrape of a target. */
export interface TargetBatch extends TracedBatch {
  /** The series that the target had (see read-series.ts), for its next owner; absent if those of the scrape before are the same. */
  readonly series?: string | undefined;
}

/** A message on its way into the queue, and the counts of the input that it carries. */
export interface OutgoingMessage {
  readonly message: NewMessage;
  readonly tally: InputTally;
  /** The span that ends with the publication: with the last message of a batch, if its trace is recorded. */
  readonly span?: Span | undefined;
}

/** Gives a batch of a replayable source its key: the source's id and the offsets of the batch's range. */
export function keyedByRange({ range, batch }: RangeBatch, span?: Span): KeyedBatch {
  return { idempotencyKey: `${range.sourceId}:${range.from.offset}-${range.to.offset}`, source: range, batch, span };
}

/** Gives a live batch its range, and its records their reading; the batch already has a key. */
export function keyedByInstant(sourceId: string, live: TracedBatch): KeyedBatch {
  const { timeMs, idempotencyKey, batch, reading, span } = live;
  const source = instantRange(sourceId, timeMs);
  return { idempotencyKey, source, batch: reading === undefined ? batch : { ...batch, reading }, span };
}

/** The messages of a batch: one, or several if its payload would be larger than the limit. Each of several messages has the
 *  batch's key with a number.
 *
 *  Messages before the last one cover no part of the source: its position may move only when the last one is published. A live source
 *  cannot be read again, so all of them are published together. */
export function messagesOf(keyed: KeyedBatch, maxBytes: number): OutgoingMessage[] {
  const { idempotencyKey, source, batch, span } = keyed;
  const parts = partsOf(batch, maxBytes);
  const traceId = span?.traceId ?? keyed.traceId ?? newTraceId();
  return parts.map(({ part, encoded }, index) => {
    const isLast = index === parts.length - 1;
    const message: NewMessage = {
      ...encoded,
      idempotencyKey: parts.length === 1 ? idempotencyKey : `${idempotencyKey}#${index + 1}of${parts.length}`,
      traceId,
      ...defined({ traceparent: span?.traceparent }),
      count: part.recordCount,
      source: isLast ? source : { ...source, to: source.from },
      ...(isLast ? {} : { continues: true }),
    };
    return { message, tally: part.tally, ...(isLast && defined({ span })) };
  });
}

/** Halves a batch until each part fits or has only one record or rejected input. */
function partsOf(batch: RecordBatch, maxBytes: number): { part: RecordBatch; encoded: EncodedBatch }[] {
  const encoded = encodeBatch(batch);
  const halves = encoded.payload.length > maxBytes ? splitBatch(batch) : undefined;
  if (halves === undefined) return [{ part: batch, encoded }];
  return halves.flatMap((half) => partsOf(half, maxBytes));
}
