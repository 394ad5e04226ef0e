import {
  type Context,
  type HrTime,
  ROOT_CONTEXT,
  type Span as SdkSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { type Clock, stopwatch } from "../kit/clock.ts";
import { defined } from "../kit/defined.ts";
import { readTraceparent, traceparentOf } from "../kit/trace-context.ts";
import type { Span, SpanEnd, SpanStart, Tracing } from "../kit/tracing.ts";

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** What all spans of a trace in this process share. */
interface Shared {
  readonly tracer: Tracer;
  readonly nowMs: () => number;
}

/** Traces by OpenTelemetry's own implementation. */
export class OtlpTracing implements Tracing {
  constructor(
    private readonly tracer: Tracer,
    private readonly clock: Clock,
  ) {}

  begin(name: string, { from, ...start }: SpanStart & { readonly from?: string | undefined }): Span | undefined {
    const shared = { tracer: this.tracer, nowMs: this.monotonic() };
    const span = startOf(name, start, { ...shared, context: contextOf(from) });
    return span.isRecording() ? new OtlpSpan(span, shared) : undefined;
  }

  /** The machine's clock may be set while a trace goes on: only its first time is by that clock. */
  private monotonic(): () => number {
    const [beganMs, elapsedMs] = [this.clock.nowMs(), stopwatch()];
    return () => beganMs + elapsedMs();
  }
}

class OtlpSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;

  constructor(
    private readonly span: SdkSpan,
    private readonly shared: Shared,
  ) {
    ({ traceId: this.traceId, spanId: this.spanId } = span.spanContext());
  }

  get traceparent(): string {
    return traceparentOf({ traceId: this.traceId, spanId: this.spanId, isSampled: true });
  }

  get hasEnded(): boolean {
    return !this.span.isRecording();
  }

  nowMs(): number {
    return this.shared.nowMs();
  }

  begin(name: string, start: SpanStart = {}): Span {
    const { shared } = this;
    // every sampler decides by the trace id or by the parent: this span is recorded, and so is what follows from it
    return new OtlpSpan(startOf(name, start, { ...shared, context: trace.setSpan(ROOT_CONTEXT, this.span) }), shared);
  }

  end({ endMs = this.nowMs(), attributes = {}, error }: SpanEnd = {}): void {
    if (this.hasEnded) return;
    this.span.setAttributes(defined(attributes));
    if (error !== undefined) this.span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    this.span.end(hrTimeOf(endMs));
  }
}

function contextOf(from: string | undefined): Context {
  const parent = readTraceparent(from);
  if (parent === undefined) return ROOT_CONTEXT;
  const traceFlags = parent.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags, isRemote: true });
}

function startOf(name: string, start: SpanStart, { tracer, nowMs, context }: Shared & { readonly context: Context }) {
  const { kind, startMs = nowMs(), attributes = {} } = start;
  const options = {
    kind: kind === undefined ? SpanKind.INTERNAL : kinds[kind],
    startTime: hrTimeOf(startMs),
    attributes: defined(attributes),
  };
  return tracer.startSpan(name, options, context);
}

/** A number alone would be taken for one of two clocks, by its size. */
function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6))];
}
