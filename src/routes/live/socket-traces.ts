import { LRUCache } from "lru-cache";
import type { StoredRecord } from "../../domain/query.ts";
import type { Span, Tracing } from "../../kit/tracing.ts";

/** A record that has arrived from the hot tier. */
interface Arrived {
  readonly uuid: string;
  readonly timeMs: number;
  readonly traceparent?: string;
}

/** The most records that wait for a socket; without subscriptions, they wait for ever. */
const maxWaiting = 1000;

/** The last spans of recorded traces: from the arrival of a message's records in this gateway to the first time that a socket is sent one of
 *  them. A trace whose records no client follows has no such span. */
export class SocketTraces {
  private readonly waiting = new LRUCache<string, { readonly timeMs: number; readonly span: Span }>({
    max: maxWaiting,
  });

  constructor(private readonly tracing: Tracing) {}

  /** Call it before the sockets are sent the records. */
  readonly arrived = (records: readonly Arrived[]): void => {
    const spans = new Map<string, Span | undefined>();
    for (const { uuid, timeMs, traceparent: from } of records) {
      if (from === undefined) continue;
      // the records of a message share a span
      if (!spans.has(from)) spans.set(from, this.tracing.begin("socket", { kind: "producer", from }));
      const span = spans.get(from);
      if (span !== undefined) this.waiting.set(uuid, { timeMs, span });
    }
  };

  /** Call it when a socket is sent a record that has arrived. */
  sent({ gpu: { uuid }, timeMs }: StoredRecord): void {
    if (this.waiting.size === 0) return;
    const waiting = this.waiting.get(uuid);
    if (waiting?.timeMs !== timeMs) return;
    this.waiting.delete(uuid);
    waiting.span.end({ attributes: { "telemetry.gpu": uuid } });
  }
}
