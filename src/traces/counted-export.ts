import type { ReadableSpan, Span, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";

/** Why a span was dropped: too many waited to be sent, or the receiver did not take it. */
export type DropReason = "queue_full" | "export_failed";

/** Receives how spans have ended. Its methods must not throw. */
export interface ExportListener {
  exported(spans: number): void;
  dropped(reason: DropReason, spans: number): void;
  /** Spans could not be sent. */
  failed(error: Error): void;
}

export interface CountedExportOptions {
  readonly exporter: SpanExporter;
  /** When so many spans wait, later ones are dropped. */
  readonly maxQueueSize: number;
  readonly listener: ExportListener;
}

type OnExported = Parameters<SpanExporter["export"]>[1];

/** Counts the spans that were sent or dropped; the batch processor itself drops them without a word. It stands before that processor, as one of them, and
 *  after it, as its exporter. */
export class CountedExport implements SpanProcessor, SpanExporter {
  private waiting = 0;
  private processor: SpanProcessor | undefined;

  constructor(private readonly options: CountedExportOptions) {}

  /** @param processor passes the spans on to this exporter, in batches */
  through(processor: SpanProcessor): this {
    this.processor = processor;
    return this;
  }

  onStart(span: Span, context: Parameters<SpanProcessor["onStart"]>[1]): void {
    this.processor?.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    const { maxQueueSize, listener } = this.options;
    if (this.waiting >= maxQueueSize) {
      listener.dropped("queue_full", 1);
      return;
    }
    this.waiting += 1;
    this.processor?.onEnd(span);
  }

  export(spans: ReadableSpan[], onExported: OnExported): void {
    const { exporter, listener } = this.options;
    this.waiting -= spans.length;
    exporter.export(spans, (result) => {
      if (result.error === undefined) listener.exported(spans.length);
      else {
        listener.dropped("export_failed", spans.length);
        listener.failed(result.error);
      }
      onExported(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.processor?.forceFlush();
  }

  /** The provider calls it for the processor, and that one for the exporter. */
  async shutdown(): Promise<void> {
    const { processor } = this;
    this.processor = undefined;
    await (processor ?? this.options.exporter).shutdown();
  }
}
