import type { Logger } from "pino";
import { BaseService } from "../../kit/base-service.ts";
import type { BatchPublisher } from "./batch-publisher.ts";
import type { SourceStream } from "./source-stream.ts";
import type { StreamRetries } from "./stream-retries.ts";

export interface StreamerOptions {
  readonly stream: SourceStream;
  readonly publisher: BatchPublisher;
  readonly retries: StreamRetries;
  readonly log: Logger;
}

/** Streams a process's source into the queue. After a stop, another streamer or the next start continues the source. If the
 *  source fails, `error()` returns the reason, and a restart continues the source. */
export class Streamer extends BaseService {
  constructor(private readonly options: StreamerOptions) {
    super("streamer", options.log);
  }

  override error(): string | undefined {
    return super.error() ?? this.options.retries.error;
  }

  override activity(): string | undefined {
    const { pace, depthMessages } = this.options.publisher.backPressure;
    if (pace === 1) return undefined;
    return `slowed to ${Math.round(pace * 100)} % of full speed: the queue holds ${depthMessages} messages`;
  }

  protected override run(): Promise<void> {
    return this.options.stream.run(this.stopping);
  }

  protected override close(): Promise<void> {
    return this.options.stream.close();
  }
}
