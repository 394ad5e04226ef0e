import type { RecordBatch } from "../../domain/batch.ts";
import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import { noTracing, type Span, type SpanAttributes, type Tracing } from "../../kit/tracing.ts";
import type { Receipt } from "../queue/queue.ts";
import type { LiveBatch, RangeBatch } from "../source/source.ts";
import type { TracedBatch } from "./batch-messages.ts";

/** What a stream needs to begin traces. */
export interface TraceParts {
  /** Absent: no traces are made. */
  readonly tracing?: Tracing;
  readonly clock: Clock;
}

/** A batch that has just been read. */
interface JustRead {
  readonly batch: RecordBatch;
  readonly tookMs: number;
  readonly attributes: SpanAttributes;
}

/** Begins the trace of a batch that has just been read.
 *  @param name of the reading
 *  @returns the span of its publication; undefined if the trace is not recorded */
function publishSpan(
  { tracing = noTracing, clock }: TraceParts,
  name: string,
  { batch, tookMs, attributes }: JustRead,
): Span | undefined {
  const read = tracing.begin(name, { startMs: clock.nowMs() - tookMs, attributes });
  read?.end({ attributes: { "telemetry.records": batch.recordCount, "telemetry.rejected": batch.rejected.length } });
  return read?.begin("publish", { kind: "producer" });
}

/** Begins the trace of a part of a file.
 *  @param tookMs how long it took to read it */
export function fileSpan(parts: TraceParts, { range, batch }: RangeBatch, tookMs: number): Span | undefined {
  const { sourceId, from, to } = range;
  const attributes = { "telemetry.source": sourceId, "telemetry.from": from.offset, "telemetry.to": to.offset };
  return publishSpan(parts, "read file", { batch, tookMs, attributes });
}

/** Begins the trace of a live batch, unless it only says what was missed. */
export function traced(
  parts: TraceParts,
  { name, sourceId }: { readonly name: "scrape" | "read"; readonly sourceId: string },
  live: LiveBatch,
): TracedBatch {
  const { batch, tookMs = 0, reading } = live;
  if (parts.tracing === undefined || reading?.outcome === "missed") return live;
  const span = publishSpan(parts, name, { batch, tookMs, attributes: { "telemetry.source": sourceId } });
  return span === undefined ? live : { ...live, span };
}

/** Ends the span of a publication. */
export function endPublished(span: Span | undefined, receipt: Receipt | undefined): void {
  span?.end({
    attributes: { "telemetry.message_id": receipt?.id, "telemetry.duplicate": receipt?.duplicate },
  });
}

/** Ends the span of a publication that has failed, or was not tried; later, this changes nothing. */
export function endUnpublished(span: Span | undefined, error: unknown): void {
  span?.end({ error: `not published: ${messageOf(error)}` });
}
