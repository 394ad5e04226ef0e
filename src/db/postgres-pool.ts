import { endsWithin } from "../kit/within.ts";
import { StoreUnavailable } from "../domain/errors.ts";
import { PostgresConnection, type PostgresConnectionOptions } from "./postgres-connection.ts";

export interface PostgresPoolOptions extends PostgresConnectionOptions {
  readonly maxConnections: number;
}

/** When the pool is closed, calls under way have this time to end. It is longer than an ingest usually takes, and shorter than
 *  the usual time limit of a supervisor. */
const closeTimeoutMs = 5000;

/** A connection that was idle for longer is not used again: a firewall may have dropped it silently, and a statement would then fail only
 *  after its whole time limit. */
const idleMaxMs = 30_000;

/** A connection that was idle for longer has to answer before it is used: whatever drops connections silently may have done so meanwhile.
 *  In constant use, no answer is waited for. */
const trustedMs = 1000;
/** A server that answers later is overloaded or out of reach, and a new connection shows which of the two it is. */
const answerTimeoutMs = 2000;

/** A connection that waits for its next use. */
interface IdleConnection {
  readonly connection: PostgresConnection;
  readonly sinceMs: number;
}

/** Connections to one database, opened as they are needed. A caller that finds no free connection waits in line. */
export class PostgresPool {
  private readonly idle: IdleConnection[] = [];
  private readonly taken = new Set<PostgresConnection>();
  private readonly line: PromiseWithResolvers<PostgresConnection>[] = [];
  private readonly allGivenBack = Promise.withResolvers<void>();
  private isClosed = false;

  constructor(private readonly options: PostgresPoolOptions) {}

  /** Takes a connection, which must be given back. One that was cut off silently while it was idle is replaced first.
   *  @param whileWaiting gives the signal that ends the wait in line
   *  @throws the signal's reason if the signal aborts during the wait in line; StoreUnavailable if the pool is closed
   *  before or during the call */
  async take(whileWaiting: () => AbortSignal): Promise<PostgresConnection> {
    if (this.isClosed) throw this.closedError();
    if (this.taken.size < this.options.maxConnections) return this.answering();
    const signal = whileWaiting();
    const turn = Promise.withResolvers<PostgresConnection>();
    const leave = (): void => {
      const place = this.line.indexOf(turn);
      if (place < 0) return;
      this.line.splice(place, 1);
      turn.reject(signal.reason);
    };
    this.line.push(turn);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await turn.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Gives a connection back, so that the next caller in line can have one. */
  give(connection: PostgresConnection): void {
    this.taken.delete(connection);
    if (connection.isUsable) this.idle.push({ connection, sinceMs: this.options.clock.nowMs() });
    this.line.shift()?.resolve(this.next());
    if (this.isClosed && this.taken.size === 0) this.allGivenBack.resolve();
  }

  /** Closes the idle connections: if a connection in use gets no answer, they may be broken, too. */
  discardIdle(): void {
    for (const { connection } of this.idle.splice(0)) connection.destroy();
  }

  /** Refuses the callers in line, waits up to `closeTimeoutMs` for the calls under way, then ends all connections. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const { reject } of this.line.splice(0)) reject(this.closedError());
    if (this.taken.size > 0) await endsWithin(this.options.clock, closeTimeoutMs, () => this.allGivenBack.promise);
    for (const connection of this.taken) connection.destroy();
    await Promise.all(this.idle.splice(0).map(({ connection }) => connection.end()));
  }

  private next(): PostgresConnection {
    return this.takes(this.usable()?.connection ?? new PostgresConnection(this.options));
  }

  /** The next connection, once it is known to answer. */
  private async answering(): Promise<PostgresConnection> {
    const { clock } = this.options;
    const idle = this.usable();
    if (idle === undefined) return this.takes(new PostgresConnection(this.options));
    const connection = this.takes(idle.connection);
    // a clock that was set back says nothing about the time since
    const isTrusted = Math.abs(clock.nowMs() - idle.sinceMs) < trustedMs;
    if (isTrusted || (await this.answers(connection))) return connection;
    connection.destroy();
    if (this.isClosed) return connection;
    // the others are as old, or older
    this.discardIdle();
    this.taken.delete(connection);
    return this.takes(new PostgresConnection(this.options));
  }

  private async answers(connection: PostgresConnection): Promise<boolean> {
    const { clock } = this.options;
    return endsWithin(clock, answerTimeoutMs, () => connection.query("select 1")).catch(() => false);
  }

  private takes(connection: PostgresConnection): PostgresConnection {
    this.taken.add(connection);
    return connection;
  }

  /** The connection that was used last, if it can be used again. */
  private usable(): IdleConnection | undefined {
    for (let last = this.idle.pop(); last !== undefined; last = this.idle.pop()) {
      const { connection, sinceMs } = last;
      const isFresh = Math.abs(this.options.clock.nowMs() - sinceMs) < idleMaxMs;
      if (isFresh && connection.isUsable) return last;
      connection.destroy();
    }
    return undefined;
  }

  private closedError(): StoreUnavailable {
    return new StoreUnavailable(`the connection to ${this.options.url.place} is closed`);
  }
}
