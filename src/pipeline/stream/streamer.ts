import type { Logger } from "pino";
import { BaseService } from "../../kit/base-service.ts";
import type { BatchPublisher } from "./batch-publisher.ts";
import type { SourceStream } from "./source-stream.ts";
import type { StreamRetries } from "./stream-retries.ts";

export interface StreamerOptions {
  /** The name of the service. */
  readonly name: string;
  readonly stream: SourceStream;
  readonly publisher: BatchPublisher;
  readonly retries: StreamRetries;
  /** Returns why the source gives no telemetry now, though it is tried again and again; undefined if it gives some. */
  readonly sourceError: () => string | undefined;
  /** Returns what people should know about the source though it gives telemetry; absent: nothing. */
  readonly sourceActivity?: () => string | undefined;
  /** True: the others do not wait for its stop. What it has not published is read again. */
  readonly isUpkeep?: boolean;
  readonly log: Logger;
}

/** Streams one of a process's sources into the queue. After a stop, another streamer or the next start continues the source. If the
 *  source fails, `error()` returns the reason, and a restart continues the source. */
export class Streamer extends BaseService {
  override readonly isUpkeep: boolean;

  constructor(private readonly options: StreamerOptions) {
    super(options.name, options.log);
    this.isUpkeep = options.isUpkeep ?? false;
  }

  override error(): string | undefined {
    const { retries, sourceError } = this.options;
    return super.error() ?? retries.error ?? sourceError();
  }

  override activity(): string | undefined {
    const { pace, depthMessages } = this.options.publisher.backPressure;
    if (pace === 1) return this.options.stream.waiting ?? this.options.sourceActivity?.();
    return `slowed to ${Math.round(pace * 100)} % of full speed: the queue holds ${depthMessages} messages`;
  }

  protected override run(): Promise<void> {
    return this.options.stream.run(this.stopping);
  }

  protected override close(): Promise<void> {
    return this.options.stream.close();
  }
}
