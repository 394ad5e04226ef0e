import { openDataDir } from "../../../db/data-dir.ts";
import type { SqlClient } from "../../../db/client.ts";
import { detectEngine } from "../../../db/engine.ts";
import { openPGliteClient } from "../../../db/pglite-client.ts";
import type { HistoryRetention } from "../history-retention.ts";
import { SqlHistoryRetention } from "./sql-history-retention.ts";
import { SqlTelemetryQueries } from "./sql-telemetry-queries.ts";
import { SqlTelemetryStore } from "./sql-telemetry-store.ts";
import type { TelemetryQueries } from "../telemetry-queries.ts";
import type { TelemetryStore } from "../telemetry-store.ts";

/** A store, for writing and for reading. */
export interface OpenStore {
  /** Where it is, for people; without secrets. */
  readonly description: string;
  /** What the database turned out to be, for people; undefined while it was not reached. */
  readonly engine: () => string | undefined;
  readonly store: TelemetryStore;
  readonly queries: TelemetryQueries;
  readonly retention: HistoryRetention;
  readonly close: () => Promise<void>;
}

/** Opens the embedded store: in a directory that this process then holds, or in memory.
 *  @throws DataDirUnusable, StoreUnavailable */
export async function openPGliteStore(where: { dataDir: string } | { memory: true }): Promise<OpenStore> {
  if ("memory" in where) {
    const client = await openPGliteClient("memory://");
    return { description: "in memory", ...(await driversOn(client)), close: () => client.close() };
  }
  const dataDir = await openDataDir(where.dataDir);
  try {
    const client = await openPGliteClient(dataDir.databaseDir);
    return {
      description: where.dataDir,
      ...(await driversOn(client)),
      close: async () => {
        await client.close();
        await dataDir.release();
      },
    };
  } catch (error) {
    await dataDir.release();
    throw error;
  }
}

async function driversOn(client: SqlClient): Promise<Omit<OpenStore, "description" | "close">> {
  const engine = await detectEngine(client);
  return {
    engine: () => engine.description,
    store: new SqlTelemetryStore(client),
    queries: new SqlTelemetryQueries(client, engine),
    retention: new SqlHistoryRetention(client, engine),
  };
}
