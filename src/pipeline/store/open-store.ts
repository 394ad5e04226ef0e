import type { SqlClient } from "../../db/client.ts";
import type { ArchiveLedger } from "./archive-ledger.ts";
import type { DatabaseChange } from "./database-change.ts";
import type { HistoryRetention } from "./history-retention.ts";
import type { HistorySettling } from "./history-settling.ts";
import type { Inventory } from "./inventory.ts";
import type { MessageFolding } from "./message-folding.ts";
import type { StoreDisk } from "./store-disk.ts";
import type { StoreIdentity } from "./store-identity.ts";
import type { Questions, TelemetryQueries } from "./telemetry-queries.ts";
import type { TelemetryStore } from "./telemetry-store.ts";

/** A store that is open, for writing and for reading. */
export interface OpenStore {
  /** Where the store's data is, for messages; contains no secrets. */
  readonly description: string;
  /** Describes the database's engine; returns undefined until the database has been reached. */
  readonly engine: () => string | undefined;
  /** The last change of the database that was more than a restart; undefined if there was none within the last hour. */
  readonly notice: () => DatabaseChange | undefined;
  readonly identity: StoreIdentity;
  readonly store: TelemetryStore;
  /** The queries of the process itself. */
  readonly queries: TelemetryQueries;
  readonly questions: Questions;
  readonly inventory: Inventory;
  readonly retention: HistoryRetention;
  readonly folding: MessageFolding;
  readonly archive: ArchiveLedger;
  /** The files of an embedded store in a folder; undefined for all others. */
  readonly disk: StoreDisk | undefined;
  readonly settling: HistorySettling;
  /** The database itself, for data that is not telemetry. */
  readonly client: SqlClient;
  readonly close: () => Promise<void>;
}
