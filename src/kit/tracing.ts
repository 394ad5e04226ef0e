import { AsyncLocalStorage } from "node:async_hooks";

/** What a span says about its work; a name without a value is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** How a piece of work begins. */
export interface SpanStart {
  /** Which side of a call or of a queue the work is. Absent: it is inside the process. */
  readonly kind?: "server" | "client" | "producer" | "consumer";
  /** Milliseconds since the epoch. Absent: now. */
  readonly startMs?: number;
  readonly attributes?: SpanAttributes;
}

/** How a piece of work has ended. */
export interface SpanEnd {
  /** Milliseconds since the epoch. Absent: now. */
  readonly endMs?: number;
  readonly attributes?: SpanAttributes;
  /** Why the work has failed. Absent: it has not. */
  readonly error?: string | undefined;
}

/** A piece of work in a recorded trace. The times of the spans that follow from each other in one process are by one clock, which is not set
 *  back; those of other processes are by theirs. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** What another process needs to continue the trace, as the header of that name has it. */
  readonly traceparent: string;
  readonly hasEnded: boolean;
  /** The present by the clock of the span, milliseconds since the epoch. */
  nowMs(): number;
  /** Begins a piece of work that follows from this one, which may have ended. */
  begin(name: string, start?: SpanStart): Span;
  /** Later calls do nothing. */
  end(end?: SpanEnd): void;
}

/** Where the traces of a process begin and continue. */
export interface Tracing {
  /** Begins a span: the first of a trace, of which the sampler decides whether it is recorded, or one that continues another process's.
   *  @param start `from`: the traceparent of what it follows from; undefined, or a text that is none: a trace begins
   *  @returns undefined if the trace is not recorded */
  begin(name: string, start: SpanStart & { readonly from?: string | undefined }): Span | undefined;
}

/** Records nothing. */
export const noTracing: Tracing = { begin: () => undefined };

// What logs an entry is far below what knows the span, and has no part in traces.
const present = new AsyncLocalStorage<Span>();

/** Calls `work` as a part of the span: what it logs has the ids of the trace. */
export function inSpan<T>(span: Span | undefined, work: () => T): T {
  return span === undefined ? work() : present.run(span, work);
}

/** The fields of a log's entry that say which span it belongs to; none outside of spans. Connections and timers that are made within a span
 *  outlive it: after its end, they are outside of it. */
export function spanFields(): { readonly trace_id?: string; readonly span_id?: string } {
  const span = present.getStore();
  return span === undefined || span.hasEnded ? {} : { trace_id: span.traceId, span_id: span.spanId };
}
