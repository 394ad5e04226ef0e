import { statfs } from "node:fs/promises";
import type { SqlClient, SqlExecutor } from "../../../db/client.ts";
import { freeBytesOf } from "../../../db/file-sizes.ts";
import {
  type Deleted,
  deleteLedgerBefore,
  deleteRecordsBefore,
  ledgerTableNames,
  oldestHour,
  type RecordTable,
  recordTableNames,
  tableSize,
} from "../../../db/sql/delete-oldest.ts";
import { hourMs } from "../../../db/sql/hour-locks.ts";
import { deleteOldQuarantine, deleteSuperseded, spanTables } from "../../../db/sql/delete-surplus.ts";
import { rewrite, vacuum } from "../../../db/sql/vacuum.ts";
import type { TrimmedHistory } from "../store-disk.ts";

/** How many rows one transaction deletes: about 100 ms, so that others do not wait long. */
const rowsPerDelete: Readonly<Record<RecordTable, number>> = { telemetry: 10_000, blocks: 500 };
const ledgerRowsPerDelete = 10_000;
const quarantineRowBytes = 600;
interface LiveSize {
  readonly table: RecordTable;
  readonly liveBytes: number;
  readonly freeBytes: number;
  readonly bytesPerRow: number;
}

async function liveSizes(client: SqlClient, databaseDir: string): Promise<LiveSize[]> {
  return Promise.all(
    recordTableNames.map(async (table) => {
      const { bytes, rows, files } = await tableSize(client, table);
      const freeBytes = freeBytesOf(databaseDir, files);
      const liveBytes = bytes - freeBytes;
      return {
        table,
        liveBytes,
        freeBytes,
        bytesPerRow: liveBytes / Math.max(rows, 1),
      };
    }),
  );
}

/** The space that records take. */
export async function historyBytes(client: SqlClient, databaseDir: string): Promise<number> {
  return (await liveSizes(client, databaseDir)).reduce((sum, { liveBytes }) => sum + liveBytes, 0);
}

/** Deletes the oldest history, with what is kept about it, in many transactions.
 *  @param task `bytes`: about how much to delete; `afterEach` runs after each transaction */
export async function deleteOldest(
  client: SqlClient,
  task: {
    readonly slowClient: SqlClient;
    readonly databaseDir: string;
    readonly bytes: number;
    readonly maxBytes: number;
    readonly afterEach: () => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<TrimmedHistory> {
  const sizes = await liveSizes(client, task.databaseDir);
  const emptied = new Set<RecordTable>();
  let [left, records] = [task.bytes, 0];
  const oldest = (): Promise<number | undefined> => oldestHour(client);
  let hour = await oldest();
  while (hour !== undefined && left > 0 && !task.signal.aborted) {
    for (const { table, bytesPerRow } of sizes) {
      const deleted = await deleteSome(client, table, hour + hourMs);
      await task.afterEach();
      records += deleted.records;
      left -= deleted.rows * bytesPerRow;
      if (deleted.rows > 0) emptied.add(table);
    }
    hour = await oldest();
  }
  await deleteLedger(client, hour ?? 0, task.maxBytes);
  for (const table of emptied) {
    await vacuum(task.slowClient, table);
    await task.afterEach();
  }
  return { records, oldestMs: hour };
}

function deleteSome(client: SqlClient, table: RecordTable, beforeMs: number): Promise<Deleted> {
  return client.transaction((executor) =>
    deleteRecordsBefore(executor, table, { beforeMs, maxRows: rowsPerDelete[table] }),
  );
}

/** Deletes what is kept about deleted history. The largest quarantine that is kept takes an eighth of the limit. */
async function deleteLedger(client: SqlClient, beforeMs: number, maxBytes: number): Promise<void> {
  const step = { beforeMs, maxRows: ledgerRowsPerDelete };
  const keepRows = Math.floor(maxBytes / 8 / quarantineRowBytes);
  const deletions: ((executor: SqlExecutor) => Promise<number>)[] = [
    ...ledgerTableNames.map((table) => (executor: SqlExecutor) => deleteLedgerBefore(executor, table, step)),
    ...spanTables.map((table) => (executor: SqlExecutor) => deleteSuperseded(executor, table, step)),
    (executor) => deleteOldQuarantine(executor, { ...step, keepRows }),
  ];
  for (const deletion of deletions) while ((await client.transaction(deletion)) === step.maxRows);
}

/** A table with less free space is not worth writing again. */
const sparseBytes = 16 * 1024 ** 2;
/** A rewritten table is in the write-ahead log, too. */
const rewriteFactor = 2;
/** What the disk must have left. */
const freeDiskBytes = 128 * 1024 ** 2;

/** Writes the table that has the most free space again, if the files are too large, and if there is room for it meanwhile.
 *  @param files `bytes`: their size */
export async function rewriteSparse(
  client: SqlClient,
  files: {
    readonly databaseDir: string;
    readonly bytes: number;
    readonly maxBytes: number;
    readonly isOver: () => boolean;
  },
): Promise<void> {
  if (!files.isOver()) return;
  const sizes = await liveSizes(client, files.databaseDir);
  const sparse = sizes.reduce((most, size) => (size.freeBytes > most.freeBytes ? size : most));
  const neededBytes = sparse.liveBytes * rewriteFactor;
  const { bavail, bsize } = await statfs(files.databaseDir);
  // files that are too large already, because the limit was lowered, may for a moment be larger
  const fits = files.bytes > files.maxBytes || files.bytes + neededBytes < files.maxBytes;
  if (!fits || sparse.freeBytes < sparseBytes || bavail * bsize < neededBytes + freeDiskBytes) return;
  await rewrite(client, sparse.table);
}
