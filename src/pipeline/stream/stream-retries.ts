import type { Logger } from "pino";
import type { Clock } from "../../kit/clock.ts";
import { RepeatedError } from "../../kit/repeated-error.ts";
import { retry } from "../../kit/retry.ts";
import type { PipelineListener } from "../observe/pipeline-listener.ts";

export interface StreamRetriesOptions {
  readonly clock: Clock;
  readonly listener: PipelineListener;
  readonly log: Logger;
}

/** Retries the operations of a streamer. An error that holds the streamer up is logged when it first occurs or its
 *  message changes, and reported until an operation succeeds. */
export class StreamRetries {
  private readonly current: RepeatedError;

  constructor(private readonly options: StreamRetriesOptions) {
    const { log } = options;
    this.current = new RepeatedError({ log, prefix: "streaming is held up", ended: "streaming continues" });
  }

  /** The error that holds streaming up now; undefined if there is none. */
  get error(): string | undefined {
    return this.current.current;
  }

  /** Repeats the operation until it succeeds, throws an error that is not retryable, or the signal aborts.
   *  @param operation calls `answered` when nothing holds it up any more, although it has not ended: it waits for other streamers
   *  @throws the last error */
  async retrying<T>(operation: (answered: () => void) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock } = this.options;
    const attempt = (): Promise<T> => operation(() => this.succeeded());
    const result = await retry(attempt, { clock, signal, onRetry: (error) => this.record(error) });
    this.succeeded();
    return result;
  }

  record(error: unknown): void {
    this.options.listener.retried(error as Error);
    this.current.record(error);
  }

  succeeded(): void {
    this.current.clear();
  }
}
