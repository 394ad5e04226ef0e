import type { SqlClient } from "../../../db/client.ts";
import type { DatabaseEngine } from "../../../db/engine.ts";
import type { OpenStore } from "../open-store.ts";
import { DatabaseWatch, type DatabaseWatchOptions } from "./database-watch.ts";
import { SqlHistoryRetention } from "./sql-history-retention.ts";
import { SqlInventory } from "./sql-inventory.ts";
import { SqlStoreIdentity } from "./sql-store-identity.ts";
import { SqlTelemetryQueries } from "./sql-telemetry-queries.ts";
import { SqlTelemetryStore } from "./sql-telemetry-store.ts";

/** A database's clients and engine, for the drivers. */
export interface SqlDatabase extends Omit<DatabaseWatchOptions, "client"> {
  readonly writer: SqlClient;
  readonly reader: SqlClient;
  /** @throws StoreUnavailable until the engine is detected */
  readonly engine: () => DatabaseEngine;
}

/** Opens the drivers of the store's interfaces on a database. */
export function openSqlDrivers({
  writer,
  reader,
  engine,
  ...watched
}: SqlDatabase): Pick<OpenStore, "identity" | "store" | "queries" | "inventory" | "retention" | "client" | "notice"> {
  const watch = new DatabaseWatch({ ...watched, client: writer });
  return {
    notice: () => watch.notice(),
    identity: new SqlStoreIdentity(writer),
    store: new SqlTelemetryStore(writer, watch),
    queries: new SqlTelemetryQueries(reader, engine),
    inventory: new SqlInventory(writer, reader),
    client: writer,
    retention: new SqlHistoryRetention(writer, engine),
  };
}
