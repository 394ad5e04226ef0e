import { detectEngine } from "../../../db/engine.ts";
import { checkSchema, migratePostgres } from "../../../db/migrate-postgres.ts";
import { openPostgresClient } from "../../../db/postgres-client.ts";
import { systemClock } from "../../../kit/clock.ts";
import { QueryTooCostly } from "../../../domain/errors.ts";
import type { OpenStore } from "./open-pglite-store.ts";
import { SqlHistoryRetention } from "./sql-history-retention.ts";
import { SqlTelemetryQueries } from "./sql-telemetry-queries.ts";
import { SqlTelemetryStore } from "./sql-telemetry-store.ts";

export interface PostgresStoreOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  /** Bring the schema up to date first. */
  readonly migrate: boolean;
  /** Connections that write. */
  readonly maxConnections?: number;
  /** Connections that read: kept apart, so that neither waits for the other. */
  readonly maxQueryConnections?: number;
  /** How long a query may take. */
  readonly queryTimeoutSeconds?: number;
}

/** Opens the store in PostgreSQL or TimescaleDB.
 *  @throws StoreUnavailable when it does not answer: the caller decides whether to try again; SchemaBehind (without
 *  `migrate`), StoreRejected (with it, rights are missing), InvalidConfig (the URL is none) */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<OpenStore> {
  const { url, migrate, maxConnections = 10, maxQueryConnections = 5, queryTimeoutSeconds = 10 } = options;
  const writer = openPostgresClient({ url, maxConnections, clock: systemClock });
  const tooLong = (): QueryTooCostly =>
    new QueryTooCostly(
      `the database was at it for ${queryTimeoutSeconds} s (QUERY_TIMEOUT_SECONDS): ask for a shorter window, fewer GPUs or a coarser resolution`,
    );
  const questions = { timeoutMs: queryTimeoutSeconds * 1000, tooLong };
  const reader = openPostgresClient({ url, maxConnections: maxQueryConnections, clock: systemClock, questions });
  const close = async (): Promise<void> => void (await Promise.all([writer.close(), reader.close()]));
  try {
    await (migrate ? migratePostgres(writer) : checkSchema(writer));
    const engine = await detectEngine(reader);
    return {
      description: writer.description,
      engine: () => engine.description,
      store: new SqlTelemetryStore(writer),
      queries: new SqlTelemetryQueries(reader, engine),
      retention: new SqlHistoryRetention(writer, engine),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
