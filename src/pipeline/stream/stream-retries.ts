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
 *  message changes, and reported until something succeeds while no operation that is retried fails. */
export class StreamRetries {
  private readonly current: RepeatedError;
  /** The operations that are retried now. */
  private readonly failing = new Set<object>();

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
    const attempt = (): Promise<T> => operation(() => this.succeeded(operation));
    const onRetry = (error: unknown): void => this.record(error, operation);
    const result = await retry(attempt, { clock, signal, onRetry }).catch((error: unknown) => {
      this.failing.delete(operation);
      throw error;
    });
    this.succeeded(operation);
    return result;
  }

  /** @param operation what has failed and is retried; absent: what has failed may not be tried again */
  record(error: unknown, operation?: object): void {
    this.options.listener.retried(error as Error);
    if (operation !== undefined) this.failing.add(operation);
    this.current.record(error);
  }

  /** @param operation what has succeeded, if it may have been retried */
  succeeded(operation?: object): void {
    if (operation !== undefined) this.failing.delete(operation);
    if (this.failing.size === 0) this.current.clear();
  }
}
