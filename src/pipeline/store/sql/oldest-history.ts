import { statfs } from "node:fs/promises";
import type { SqlClient, SqlExecutor } from "../../../db/client.ts";
import { freeBytesOf } from "../../../db/file-sizes.ts";
import { type Deleted, type RecordTable, recordTableNames } from "../../../db/sql/delete-gpu-hours.ts";
import {
  deleteLedgerBefore,
  deleteRecordsBefore,
  deleteRollupsBefore,
  deleteUsageBefore,
  type HistoryTable,
  ledgerTableNames,
  oldestHour,
  oldestRollup,
  tableSize,
} from "../../../db/sql/delete-oldest.ts";
import { deleteOldQuarantine, deleteSuperseded, spanTables } from "../../../db/sql/delete-surplus.ts";
import { rewrite, vacuum } from "../../../db/sql/vacuum.ts";
import type { TrimmedHistory } from "../store-disk.ts";
import { hourMs } from "../../../domain/time-range.ts";

/** How many rows one transaction deletes, besides the rest of a GPU's hour: about 100 ms, so that others do not wait long. The rows of a GPU
 *  are on as many pages, each of which may be in the log as a whole. */
const rowsPerDelete: Readonly<Record<RecordTable, number>> = { telemetry: 2000, blocks: 500 };
const ledgerRowsPerDelete = 10_000;
const quarantineRowBytes = 600;
/** Rollups of hours without records may take a quarter of the limit: with 250 GPUs and 10 GiB, those of 11 years. */
const rollupsShare = 1 / 4;
const rollupsPerDelete = 500;
const farFutureMs = Date.UTC(9999, 0);
const none = { rows: 0, bytes: 0 };

interface LiveSize {
  readonly table: HistoryTable;
  readonly liveBytes: number;
  readonly freeBytes: number;
  readonly bytesPerRow: number;
}

/** The tables of history. */
export const historyTables: readonly HistoryTable[] = [...recordTableNames, "rollups", "usage_hours"];

/** Measures tables of history, with their indexes. The free space is that of the last checkpoint. */
export async function liveSizes(client: SqlClient, databaseDir: string, tables = historyTables): Promise<LiveSize[]> {
  return Promise.all(
    tables.map(async (table) => {
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

/** The space that history takes. */
export async function historyBytes(client: SqlClient, databaseDir: string): Promise<number> {
  return (await liveSizes(client, databaseDir)).reduce((sum, { liveBytes }) => sum + liveBytes, 0);
}

interface DeletionTask {
  readonly slowClient: SqlClient;
  readonly databaseDir: string;
  readonly bytes: number;
  readonly maxBytes: number;
  readonly afterEach: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Deletes the oldest history, with what is kept about it, in many transactions.
 *  @param task `bytes`: about how much to delete; `afterEach` runs after each transaction */
export async function deleteOldest(client: SqlClient, task: DeletionTask): Promise<TrimmedHistory> {
  const emptied = new Set<HistoryTable>();
  let hour = await oldestHour(client);
  const surplus = await deleteRollups(client, task, {
    beforeMs: hour ?? farFutureMs,
    bytes: ({ liveBytes }) => liveBytes - task.maxBytes * rollupsShare,
  });
  let [left, records] = [task.bytes - surplus.bytes, 0];
  const sizes = await liveSizes(client, task.databaseDir);
  while (hour !== undefined && left > 0 && !task.signal.aborted) {
    for (const table of recordTableNames) {
      const deleted = await deleteSome(client, table, hour + hourMs);
      await task.afterEach();
      records += deleted.records;
      left -= deleted.rows * (sizes.find((size) => size.table === table)?.bytesPerRow ?? 0);
      if (deleted.rows > 0) emptied.add(table);
    }
    hour = await oldestHour(client);
  }
  const rest =
    hour === undefined ? await deleteRollups(client, task, { beforeMs: farFutureMs, bytes: () => left }) : none;
  const rollups = surplus.rows + rest.rows;
  if (rollups > 0) emptied.add("rollups");
  await deleteLedger(
    client,
    { recordsMs: hour ?? 0, historyMs: Math.min(hour ?? 0, (await oldestRollup(client)) ?? Infinity) },
    task.maxBytes,
  );
  for (const table of emptied) {
    await vacuum(task.slowClient, table);
    await task.afterEach();
  }
  return { records, rollups, oldestMs: hour };
}

/** Deletes about so many bytes of the oldest rollups of hours before an instant, which has no records. @returns the deleted ones */
async function deleteRollups(
  client: SqlClient,
  task: DeletionTask,
  { beforeMs, bytes }: { readonly beforeMs: number; readonly bytes: (size: LiveSize) => number },
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const [size] = await liveSizes(client, task.databaseDir, ["rollups"]);
  if (size === undefined) return none;
  const wanted = bytes(size);
  const step = { beforeMs, maxRows: rollupsPerDelete };
  let rows = 0;
  while (rows * size.bytesPerRow < wanted && !task.signal.aborted) {
    const deleted = await client.transaction((executor) => deleteRollupsBefore(executor, step));
    await task.afterEach();
    rows += deleted;
    if (deleted < step.maxRows) break;
  }
  return { rows, bytes: rows * size.bytesPerRow };
}

function deleteSome(client: SqlClient, table: RecordTable, beforeMs: number): Promise<Deleted> {
  return client.transaction((executor) =>
    deleteRecordsBefore(executor, table, { beforeMs, maxRows: rowsPerDelete[table] }),
  );
}

/** Deletes what is kept about deleted history. The largest quarantine that is kept takes an eighth of the limit.
 *  @param oldest the hour of the oldest record, and of the oldest record or rollup */
async function deleteLedger(
  client: SqlClient,
  oldest: { readonly recordsMs: number; readonly historyMs: number },
  maxBytes: number,
): Promise<void> {
  const step = { beforeMs: oldest.recordsMs, maxRows: ledgerRowsPerDelete };
  const keepRows = Math.floor(maxBytes / 8 / quarantineRowBytes);
  const deletions: ((executor: SqlExecutor) => Promise<number>)[] = [
    ...ledgerTableNames.map((table) => (executor: SqlExecutor) => deleteLedgerBefore(executor, table, step)),
    ...spanTables.map((table) => (executor: SqlExecutor) => deleteSuperseded(executor, table, step)),
    // it takes less than rollups, and is kept as long
    (executor) => deleteUsageBefore(executor, { ...step, beforeMs: oldest.historyMs }),
    (executor) => deleteSuperseded(executor, "gpu_attributes", { ...step, beforeMs: oldest.historyMs }),
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
