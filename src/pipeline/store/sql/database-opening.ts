import type { Logger } from "pino";
import type { DatabaseEngine } from "../../../db/engine.ts";
import { StoreUnavailable } from "../../../domain/errors.ts";
import type { Clock } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";

export interface DatabaseOpeningOptions {
  /** Migrates or checks the schema, and detects the engine. */
  readonly prepare: () => Promise<DatabaseEngine>;
  readonly clock: Clock;
  readonly log: Logger;
}

const retryMs = 2000;

/** Prepares a database that may not answer yet: if it does not answer the first attempt, attempts are repeated until one
 *  succeeds or `stop` is called.
 *
 *  OPENING -prepared-> READY
 *  OPENING -stop-> STOPPED: no further attempt. */
export class DatabaseOpening {
  private engine: DatabaseEngine | undefined;
  private lastError: unknown;
  private readonly stopping = new AbortController();
  private retrying = Promise.resolve();

  constructor(private readonly options: DatabaseOpeningOptions) {}

  /** The engine of a database that is ready, else undefined. */
  get readyEngine(): DatabaseEngine | undefined {
    return this.engine;
  }

  /** Makes the first attempt; if the database does not answer, further attempts follow in the background.
   *  @throws the errors of `prepare`, except StoreUnavailable */
  async start(): Promise<void> {
    try {
      await this.attempt();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.options.log.warn({ err: error }, "the database does not answer; the process continues and tries again");
      this.lastError = error;
      this.retrying = this.retry();
    }
  }

  /** @throws StoreUnavailable until the database is ready */
  requireEngine(): DatabaseEngine {
    if (this.engine !== undefined) return this.engine;
    throw new StoreUnavailable(`the database has not been ready since the start: ${messageOf(this.lastError)}`);
  }

  /** Ends the attempts, and waits for an attempt that is running. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.retrying;
  }

  private async attempt(): Promise<void> {
    this.engine = await this.options.prepare();
    this.options.log.info(this.engine.description);
  }

  /** Retries after any error: another process may migrate a schema that is behind. */
  private async retry(): Promise<void> {
    const { clock } = this.options;
    while (this.engine === undefined) {
      await clock.sleep(retryMs, this.stopping.signal);
      if (this.stopping.signal.aborted) return;
      await this.attempt().catch((error: unknown) => (this.lastError = error));
    }
  }
}
