import { PostgresConnection } from "../../../db/postgres-connection.ts";
import { translatePostgresError } from "../../../db/postgres-errors.ts";
import { parsePostgresUrl, type PostgresUrl } from "../../../db/postgres-url.ts";
import { StoreUnavailable, type TelemetryError } from "../../../domain/errors.ts";
import type { Clock } from "../../../kit/clock.ts";
import { DeadlineExceeded, within } from "../../../kit/within.ts";
import type { LeaderElection, Term } from "../leader-election.ts";

export interface PostgresLeaderElectionOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  /** The key of the advisory lock that the leader has. */
  readonly lockKey: number;
  /** Time after which another process leads if the leader is frozen or cut off. A leader that dies is replaced at once. */
  readonly leaseSeconds: number;
  readonly clock: Clock;
}

/** The pause between two attempts of a process that does not lead. A statement that waits for the lock would keep the server from
 *  removing old versions of rows. */
const attemptMs = 1000;
/** How many times the leader tells the server in the time of its lease that it is there. */
const beatsPerLease = 3;

/** What an attempt has led to. */
interface Attempt {
  readonly isElected: boolean;
  /** The server's time in microseconds. */
  readonly revision: string;
}

/** Elects by an advisory lock, one in each database. The leader has it in a transaction that does nothing else, on a connection of its own:
 *  so it works through a pooler too, and the server releases the lock when the process dies. The server ends a transaction that is idle
 *  for as long as the lease, so it also releases the lock of a process that is frozen or cut off. An open transaction that has
 *  neither read nor written holds nothing else up.
 *  Source: https://www.postgresql.org/docs/17/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT */
export class PostgresLeaderElection implements LeaderElection {
  private readonly url: PostgresUrl;
  private readonly leaseMs: number;

  /** Opens no connection. @throws InvalidConfig if the URL is not usable */
  constructor(private readonly options: PostgresLeaderElectionOptions) {
    this.url = parsePostgresUrl(options.url);
    this.leaseMs = options.leaseSeconds * 1000;
  }

  async campaign(signal: AbortSignal, onStandBy?: () => void): Promise<Term | undefined> {
    let connection: PostgresConnection | undefined;
    const leave = (): void => connection?.destroy();
    signal.addEventListener("abort", leave, { once: true });
    try {
      while (!signal.aborted) {
        if (connection?.isUsable !== true) connection = this.connect();
        const term = await this.attempt(connection);
        if (term !== undefined) {
          connection = undefined;
          return term;
        }
        onStandBy?.();
        await this.options.clock.sleep(attemptMs, signal);
      }
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw this.translated(error);
    } finally {
      signal.removeEventListener("abort", leave);
      await connection?.end();
    }
  }

  private connect(): PostgresConnection {
    return new PostgresConnection({ url: this.url, statementTimeoutMs: this.leaseMs, clock: this.options.clock });
  }

  /** @returns undefined if another process leads */
  private async attempt(connection: PostgresConnection): Promise<Term | undefined> {
    const attempted = Promise.withResolvers<Attempt>();
    const ended = new AbortController();
    const transaction = connection.transaction(async () => {
      const attempt = await this.tryLock(connection);
      attempted.resolve(attempt);
      if (attempt.isElected) await this.keepLock(connection, ended);
    });
    const over = transaction.catch((error: unknown) => attempted.reject(error)).finally(() => ended.abort());
    const { isElected, revision } = await within(this.options.clock, this.leaseMs, () => attempted.promise);
    if (!isElected) {
      await over;
      return undefined;
    }
    const resign = async (): Promise<void> => {
      ended.abort();
      await connection.end();
    };
    return { revision, leaderKey: "", leaseId: "", ended: ended.signal, resign };
  }

  private async tryLock(connection: PostgresConnection): Promise<Attempt> {
    const text = `
select pg_try_advisory_xact_lock(${this.options.lockKey}) as "isElected",
  (extract(epoch from clock_timestamp()) * 1000000)::int8::text as revision`;
    const [row] = await connection.query<Attempt>(text);
    return row ?? { isElected: false, revision: "" };
  }

  /** Tells the server again and again that this process is there, until the term has ended, or the server does not answer. */
  private async keepLock(connection: PostgresConnection, ended: AbortController): Promise<void> {
    const { clock } = this.options;
    const beatMs = this.leaseMs / beatsPerLease;
    try {
      while (!ended.signal.aborted) {
        await connection.untilLost(clock.sleep(beatMs, ended.signal));
        if (!ended.signal.aborted) await within(clock, this.leaseMs - beatMs, () => connection.query("select"));
      }
    } catch (error) {
      ended.abort();
      connection.destroy();
      throw error;
    }
  }

  private translated(error: unknown): TelemetryError {
    const { place } = this.url;
    if (!(error instanceof DeadlineExceeded)) return translatePostgresError(error, this.url);
    return new StoreUnavailable(`${place} did not answer within ${error.ms / 1000} s`, { cause: error });
  }
}
