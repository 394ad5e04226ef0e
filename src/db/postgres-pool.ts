import type { Clock } from "../kit/clock.ts";
import { endsWithin } from "../kit/within.ts";
import { StoreUnavailable } from "../domain/errors.ts";
import { PostgresConnection, type PostgresConnectionOptions } from "./postgres-connection.ts";

export interface PostgresPoolOptions extends PostgresConnectionOptions {
  readonly maxConnections: number;
  readonly clock: Clock;
}

/** For what is under way when the pool is closed: longer than an ingest takes, shorter than a supervisor waits. */
const closeTimeoutMs = 5000;

/** Connections to one database, made when they are needed. Whoever finds none free waits in line. */
export class PostgresPool {
  private readonly idle: PostgresConnection[] = [];
  private readonly taken = new Set<PostgresConnection>();
  private readonly line: PromiseWithResolvers<PostgresConnection>[] = [];
  private readonly quiet = Promise.withResolvers<void>();
  private isClosed = false;

  constructor(private readonly options: PostgresPoolOptions) {}

  /** The connection must be given back, even after the signal has aborted.
   *  @throws the signal's reason when it aborts while the caller waits */
  async take(signal: AbortSignal): Promise<PostgresConnection> {
    if (this.isClosed) throw this.closedError();
    if (this.taken.size < this.options.maxConnections) return this.next();
    const turn = Promise.withResolvers<PostgresConnection>();
    const leave = (): void => {
      const place = this.line.indexOf(turn);
      if (place >= 0) this.line.splice(place, 1);
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

  give(connection: PostgresConnection): void {
    this.taken.delete(connection);
    if (connection.isUsable) this.idle.push(connection);
    this.line.shift()?.resolve(this.next());
    if (this.isClosed && this.taken.size === 0) this.quiet.resolve();
  }

  /** Closes those that nobody uses: they are as old as a connection that turned out to lead nowhere. */
  discardIdle(): void {
    for (const connection of this.idle.splice(0)) connection.destroy();
  }

  /** Lets what is under way end, for a while. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const { reject } of this.line.splice(0)) reject(this.closedError());
    if (this.taken.size === 0) this.quiet.resolve();
    await endsWithin(this.options.clock, closeTimeoutMs, () => this.quiet.promise);
    for (const connection of this.taken) connection.destroy();
    await Promise.all(this.idle.splice(0).map((connection) => connection.end()));
  }

  private next(): PostgresConnection {
    let connection = this.idle.pop();
    while (connection !== undefined && !connection.isUsable) connection = this.idle.pop();
    connection ??= new PostgresConnection(this.options);
    this.taken.add(connection);
    return connection;
  }

  private closedError(): StoreUnavailable {
    return new StoreUnavailable(`the connection to ${this.options.url.place} is closed`);
  }
}
