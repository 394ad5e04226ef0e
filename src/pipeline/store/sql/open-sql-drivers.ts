import type { SqlClient } from "../../../db/client.ts";
import { readIncarnation } from "../../../db/sql/database-state.ts";
import { estimateRecords } from "../../../db/sql/count-records.ts";
import type { DatabaseEngine } from "../../../db/engine.ts";
import { type UsageSettings, usageSettingsDefault } from "../../../domain/usage/usage-hour.ts";
import type { OpenStore } from "../open-store.ts";
import type { Questions } from "../telemetry-queries.ts";
import { DatabaseWatch, type DatabaseWatchOptions } from "./database-watch.ts";
import { Settler, type SettlerOptions } from "./settler.ts";
import { SqlArchiveLedger } from "./sql-archive-ledger.ts";
import { SqlHistoryRetention } from "./sql-history-retention.ts";
import { SqlMessageFolding } from "./sql-message-folding.ts";
import { SqlInventory } from "./sql-inventory.ts";
import { SqlStoreIdentity } from "./sql-store-identity.ts";
import { SqlTelemetryQueries } from "./sql-telemetry-queries.ts";
import { SqlTelemetryStore } from "./sql-telemetry-store.ts";

/** How many light questions are answered at a time: each takes a few milliseconds. */
export const lightQuestions = 3;

/** A database's clients and engine, for the drivers. */
export interface SqlDatabase extends Omit<DatabaseWatchOptions, "client"> {
  readonly writer: SqlClient;
  readonly reader: SqlClient;
  /** Reads for heavy questions, which then do not keep the reader busy. */
  readonly heavyReader: SqlClient;
  readonly questionsAtATime: Questions["atATime"];
  /** The time that a question may take; absent: as long as each of its statements may. */
  readonly questionLimitMs?: number | undefined;
  /** How history is settled; absent: as on a server. */
  readonly settler?: SettlerOptions;
  /** How usage is counted; absent: by the defaults. */
  readonly usage?: UsageSettings | undefined;
  /** Throws StoreUnavailable if the database does not answer; absent: a statement finds out. */
  readonly probe?: () => Promise<void>;
  /** @throws StoreUnavailable until the engine is detected */
  readonly engine: () => DatabaseEngine;
}

/** What every database provides of an open store. */
type SqlDrivers = Omit<OpenStore, "description" | "engine" | "close" | "disk">;

/** Opens the drivers of the store's interfaces on a database. */
export function openSqlDrivers({
  writer,
  reader,
  heavyReader,
  questionsAtATime,
  questionLimitMs,
  settler,
  usage = usageSettingsDefault,
  probe,
  engine,
  ...watched
}: SqlDatabase): SqlDrivers {
  const watch = new DatabaseWatch({ ...watched, client: writer });
  return {
    notice: () => watch.notice(),
    identity: new SqlStoreIdentity(writer),
    store: new SqlTelemetryStore(writer, watch, {
      probe: probe ?? (async () => watch.saw(await readIncarnation(writer))),
      journal: () => engine().journal,
    }),
    queries: new SqlTelemetryQueries(reader, questionLimitMs, usage),
    questions: {
      atATime: questionsAtATime,
      ask: (weight, signal) =>
        new SqlTelemetryQueries((weight === "heavy" ? heavyReader : reader).until(signal), questionLimitMs, usage),
      size: async () => ({ records: await estimateRecords(reader) }),
    },
    inventory: new SqlInventory(writer, reader),
    folding: new SqlMessageFolding(writer, watched.clock),
    client: writer,
    settling: new Settler(writer, settler, usage),
    retention: new SqlHistoryRetention(writer, engine),
    archive: new SqlArchiveLedger(writer),
  };
}
