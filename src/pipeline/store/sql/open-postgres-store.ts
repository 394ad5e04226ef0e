import type { UsageSettings } from "../../../domain/usage/usage-hour.ts";
import type { Logger } from "pino";
import { checkServer } from "../../../db/check-server.ts";
import { type DatabaseEngine, detectEngine } from "../../../db/engine.ts";
import { GatedClient } from "../../../db/gated-client.ts";
import { checkSchema, migratePostgres } from "../../../db/migrate-postgres.ts";
import { PostgresClient } from "../../../db/postgres-client.ts";
import { tooCostly } from "../../../db/too-costly.ts";
import { type Clock, systemClock } from "../../../kit/clock.ts";
import type { OnDatabaseChange } from "../database-change.ts";
import type { OpenStore } from "../open-store.ts";
import { DatabaseOpening } from "./database-opening.ts";
import { lightQuestions, openSqlDrivers, type SqlDatabase } from "./open-sql-drivers.ts";

export interface PostgresStoreOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  /** True: the schema is brought up to date; false: it is only checked. */
  readonly migrate: boolean;
  /** The maximum number of connections that write. */
  readonly maxConnections?: number;
  /** The time limit of a query. */
  readonly queryTimeoutSeconds?: number;
  /** How usage is counted; absent: by the defaults. */
  readonly usage?: UsageSettings;
  /** How many heavy questions are answered at a time. */
  readonly heavyQuestions?: number;
  /** Receives a change of the database at the URL's address; absent: it is not reported. */
  readonly onChange?: OnDatabaseChange;
}

/** Opens the store in PostgreSQL or TimescaleDB.
 *  @throws StoreUnavailable if the database does not answer, or cannot be migrated (a right is missing); SchemaBehind if the
 *    schema is not up to date and `migrate` is false; SchemaAhead if a newer program has migrated it; StoreRejected if a migration contradicts the stored data; InvalidConfig
 *    if the URL is not usable; QueryTooCostly if the server cancels the queries that detect its engine */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<OpenStore> {
  const clients = new PostgresClients(options);
  try {
    const engine = await clients.prepare();
    return {
      description: clients.description,
      engine: () => engine.description,
      ...openSqlDrivers({ ...clients.watched(options), engine: () => engine }),
      disk: undefined,
      close: () => clients.close(),
    };
  } catch (error) {
    await clients.close();
    throw error;
  }
}

/** Opens the store for a process that can work without it. Until the database is ready, reading and writing throw
 *  StoreUnavailable.
 *  @throws the errors of `openPostgresStore`, except StoreUnavailable */
export async function openLatePostgresStore(
  options: PostgresStoreOptions,
  parts: { readonly clock: Clock; readonly log: Logger },
): Promise<OpenStore> {
  const clients = new PostgresClients(options);
  const opening = new DatabaseOpening({ ...parts, prepare: () => clients.prepare() });
  const close = async (): Promise<void> => {
    await opening.stop();
    await clients.close();
  };
  try {
    await opening.start();
  } catch (error) {
    await close();
    throw error;
  }
  const engine = (): DatabaseEngine => opening.requireEngine();
  return {
    description: opening.readyEngine === undefined ? `${clients.description}, not reached yet` : clients.description,
    engine: () => opening.readyEngine?.description,
    ...openSqlDrivers({
      ...clients.watched(options),
      writer: new GatedClient(clients.writer, engine),
      reader: new GatedClient(clients.reader, engine),
      heavyReader: new GatedClient(clients.heavyReader, engine),
      engine,
    }),
    disk: undefined,
    close,
  };
}

/** The clients of one database: one writes, the others read under a time limit. None waits for a connection of another one. They connect with their first statement. */
class PostgresClients {
  readonly writer: PostgresClient;
  readonly reader: PostgresClient;
  readonly heavyReader: PostgresClient;
  private readonly heavyQuestions: number;
  private readonly questionLimitMs: number;
  private readonly migrate: boolean;

  constructor(options: PostgresStoreOptions) {
    const { url, migrate, maxConnections = 10, queryTimeoutSeconds = 10, heavyQuestions = 4 } = options;
    const timeoutMs = queryTimeoutSeconds * 1000;
    const queryLimit = { timeoutMs, tooLong: () => tooCostly(timeoutMs) };
    this.migrate = migrate;
    this.writer = new PostgresClient({ url, maxConnections, clock: systemClock });
    this.reader = new PostgresClient({ url, maxConnections: lightQuestions, clock: systemClock, queryLimit });
    this.heavyReader = new PostgresClient({ url, maxConnections: heavyQuestions, clock: systemClock, queryLimit });
    this.heavyQuestions = heavyQuestions;
    this.questionLimitMs = timeoutMs;
  }

  get description(): string {
    return this.writer.description;
  }

  /** The clients, and what the watch over their database needs. */
  watched({ usage, onChange = () => undefined }: PostgresStoreOptions): Omit<SqlDatabase, "engine"> {
    const { writer, reader, heavyReader, heavyQuestions, questionLimitMs } = this;
    const questionsAtATime = { light: lightQuestions, heavy: heavyQuestions };
    const place = this.description;
    const clients = { writer, reader, heavyReader, questionsAtATime, questionLimitMs };
    return { ...clients, usage, place, clock: systemClock, onChange };
  }

  /** Brings the schema up to date, or checks that it is up to date, and detects the database's engine.
   *  @throws as `openPostgresStore` does */
  async prepare(): Promise<DatabaseEngine> {
    await checkServer(this.writer);
    await (this.migrate ? migratePostgres(this.writer) : checkSchema(this.writer));
    return detectEngine(this.reader);
  }

  async close(): Promise<void> {
    await Promise.all([this.writer.close(), this.reader.close(), this.heavyReader.close()]);
  }
}
