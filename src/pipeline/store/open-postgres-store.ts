import { checkSchema, migratePostgres } from "../../db/migrate-postgres.ts";
import { openPostgresClient } from "../../db/postgres-client.ts";
import { systemClock } from "../../domain/clock.ts";
import type { OpenStore } from "./open-pglite-store.ts";
import { SqlTelemetryQueries } from "./sql-telemetry-queries.ts";
import { SqlTelemetryStore } from "./sql-telemetry-store.ts";

/** Opens the store in PostgreSQL or TimescaleDB.
 *  @throws StoreUnavailable when it does not answer: the caller decides whether to try again; SchemaBehind (without
 *  `migrate`), StoreRejected (with it, rights are missing), InvalidConfig (the URL is none) */
export async function openPostgresStore(options: {
  readonly url: string;
  /** Bring the schema up to date first. */
  readonly migrate: boolean;
  readonly maxConnections?: number;
}): Promise<OpenStore> {
  const { url, migrate, maxConnections = 10 } = options;
  const client = openPostgresClient({ url, maxConnections, clock: systemClock });
  try {
    await (migrate ? migratePostgres(client) : checkSchema(client));
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    description: client.description,
    store: new SqlTelemetryStore(client),
    queries: new SqlTelemetryQueries(client),
    close: () => client.close(),
  };
}
