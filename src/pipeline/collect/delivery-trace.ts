import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import { inSpan, noTracing, type Span, type SpanAttributes, type Tracing } from "../../kit/tracing.ts";
import type { Delivery } from "../queue/queue.ts";
import type { IngestResult } from "../store/telemetry-store.ts";

/** What has become of a delivery. */
export type DeliveryOutcome =
  "acknowledged" | "acknowledged too late" | "refused" | "given back" | "left for a newer version";

/** The spans of a delivery, if the trace of its message is recorded: its wait in the queue, and the work of the collector with its steps.
 *  The wait is already over when this is made, so it is told even if the collector dies before the message is stored. Each delivery of a
 *  message has its own, with its attempt: the wait is always from the publication, so that of a later attempt has the time of the earlier
 *  ones in it. */
export class DeliveryTrace {
  private readonly span: Span | undefined;

  constructor(
    delivery: Delivery,
    { tracing = noTracing, clock }: { readonly tracing?: Tracing; readonly clock: Clock },
  ) {
    const { envelope, attempt, claimMs } = delivery;
    const { traceparent: from, id, createdAtMs } = envelope;
    if (from === undefined) return;
    const attributes = { "telemetry.message_id": id, "telemetry.attempt": attempt };
    const nowMs = clock.nowMs();
    const span = tracing.begin("collect", { kind: "consumer", from, startMs: nowMs - claimMs, attributes });
    if (span === undefined) return;
    this.span = span;
    const claimedMs = nowMs - claimMs;
    // the publisher's clock may be ahead of this one: a wait is never negative
    const aheadMs = Math.max(0, createdAtMs - claimedMs);
    const startMs = createdAtMs - aheadMs;
    const clocks = aheadMs === 0 ? {} : { "telemetry.clock_ahead_ms": Math.round(aheadMs) };
    tracing.begin("queue", { from, startMs, attributes: { ...attributes, ...clocks } })?.end({ endMs: claimedMs });
    span.begin("claim", { startMs: claimedMs }).end({ endMs: nowMs });
  }

  /** Calls `work` as a part of the span: what it logs has the ids of the trace. */
  within<T>(work: () => T): T {
    return inSpan(this.span, work);
  }

  /** Does a step.
   *  @param work receives the step's span
   *  @param told says what the step has led to */
  async step<T>(
    name: string,
    work: (span: Span | undefined) => T | Promise<T>,
    told: (result: T) => SpanAttributes = () => ({}),
  ): Promise<T> {
    const step = this.span?.begin(name);
    if (step === undefined) return work(undefined);
    try {
      const result = await work(step);
      step.end({ attributes: told(result) });
      return result;
    } catch (error) {
      step.end({ error: messageOf(error) });
      throw error;
    }
  }

  /** Later calls do nothing. */
  end(outcome: DeliveryOutcome, error?: string): void {
    this.span?.end({ attributes: { "telemetry.outcome": outcome }, error });
  }
}

/** What a span says about a message that was stored. */
export function toldOf({ duplicate, recordsInserted, recordsMerged }: IngestResult): SpanAttributes {
  return {
    "telemetry.duplicate": duplicate,
    "telemetry.records_inserted": recordsInserted,
    "telemetry.records_merged": recordsMerged,
  };
}
