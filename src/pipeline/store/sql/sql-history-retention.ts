import type { SqlClient } from "../../../db/client.ts";
import type { DatabaseEngine } from "../../../db/engine.ts";
import {
  deleteOldBlocks,
  deleteOldConflicts,
  deleteOldEnds,
  deleteOldFrozen,
  deleteOldMisses,
  deleteOldReadings,
  deleteOldReporters,
  deleteOldRollups,
  deleteOldRows,
  deleteOldSeriesEnds,
  deleteOldSourceDevices,
  deleteOldSpans,
  deleteOldStale,
  deleteOldTotals,
  deleteOldUsage,
} from "../../../db/sql/delete-old.ts";
import { daysArchived } from "../../../db/sql/archive-hours.ts";
import {
  deleteOldQuarantine,
  deleteSuperseded,
  msDaysAgo,
  type SpanTable,
  spanTables,
} from "../../../db/sql/delete-surplus.ts";
import { holdSettling } from "../../../db/sql/hour-locks.ts";
import { type ChunkDeletion, dropEmptyChunks, dropOldChunks } from "./drop-chunks.ts";
import { type DeleteSome, OthersDelete, RetentionPass, type Steps } from "./retention-pass.ts";
import type { HistoryRetention, KeepDays, UnarchivedHours } from "../history-retention.ts";

/** The number of rows that one transaction deletes, besides the rest of a GPU's hour. The deletion takes about 100 ms, so other statements
 *  do not wait long for the transaction's locks. */
const rowsPerDelete = 10_000;
/** The same for blocks and rollups, which have parts in other places. */
const blocksPerDelete = 1000;

/** An input in quarantine takes about 600 bytes. */
const quarantineMaxRows = 1_000_000;

/** Deletes old telemetry: blocks, and chunks if the table of rows is a hypertable, else rows. While another process deletes, this one
 *  deletes nothing. History is not settled meanwhile, so that no record leaves the rows that it settles. */
export class SqlHistoryRetention implements HistoryRetention {
  constructor(
    private readonly client: SqlClient,
    private readonly engine: () => DatabaseEngine,
  ) {}

  async deleteOlder(keepDays: KeepDays, unarchived: UnarchivedHours = "deleted"): Promise<string | undefined> {
    const pass = new RetentionPass(this.client);
    try {
      await this.deleteIn(pass, keepDays, unarchived);
    } catch (error) {
      if (!(error instanceof OthersDelete)) throw error;
    }
    return pass.report();
  }

  private async deleteIn(pass: RetentionPass, keepDays: KeepDays, unarchived: UnarchivedHours): Promise<void> {
    const chunks = this.chunks(pass);
    if (keepDays.raw > 0) {
      await deleteRecords(keepDays.raw, { pass, chunks, unarchived });
      for (const deleteSome of withRecords) await pass.inSteps(keepDays.raw, rows(deleteSome));
    }
    await deleteSurplus(pass, keepDays.raw);
    // without its rollups, an hour would be missing in averages although its records are stored
    const rollupDays = longerThan(keepDays.raw, keepDays["1h"]);
    const usageDays = longerThan(keepDays.raw, keepDays.usage);
    if (rollupDays > 0) await deleteSummaries(pass, rollupDays, { deleteSome: deleteOldRollups, name: "rollup(s)" });
    if (usageDays > 0) await deleteSummaries(pass, usageDays, { deleteSome: deleteOldUsage, name: "row(s) of usage" });
    if (rollupDays > 0 && usageDays > 0) {
      await pass.inSteps(Math.max(rollupDays, usageDays) + chunkDays, rows(superseded("gpu_attributes")));
    }
    if (chunks !== undefined) await dropEmptyChunks(chunks);
  }

  /** Undefined if the table of rows has no chunks. */
  private chunks(pass: RetentionPass): ChunkDeletion | undefined {
    const { isHypertable, timescaleSchema } = this.engine();
    if (!isHypertable || timescaleSchema === undefined) return undefined;
    return { client: this.client, timescaleSchema, pass };
  }
}

/** How records are deleted. */
interface RecordDeletion {
  readonly pass: RetentionPass;
  /** Undefined if the table of rows has no chunks. */
  readonly chunks: ChunkDeletion | undefined;
  readonly unarchived: UnarchivedHours;
}

async function deleteRecords(days: number, { pass, chunks, unarchived }: RecordDeletion): Promise<void> {
  const older = `older than ${days} days`;
  const [deleteRows, deleteBlocks] = [deleteOldRows, deleteOldBlocks].map((deleteSome) =>
    whileNotSettling(unarchived === "kept" ? exceptUnarchived(deleteSome) : deleteSome),
  ) as [DeleteSome, DeleteSome];
  if (chunks === undefined) await pass.inSteps(days, { ...rows(deleteRows), what: `record(s) ${older}` });
  else await dropOldChunks(chunks, days, unarchived);
  await pass.inSteps(days, { deleteSome: deleteBlocks, perStep: blocksPerDelete, what: `block(s) ${older}` });
}

/** For how long to keep what follows from records: at least as long as these. @param days 0: for ever */
function longerThan(recordDays: number, days: number): number {
  return recordDays === 0 || days === 0 ? 0 : Math.max(recordDays, days);
}

function deleteSummaries(
  pass: RetentionPass,
  days: number,
  { deleteSome, name }: { readonly deleteSome: DeleteSome; readonly name: string },
): Promise<void> {
  const what = `${name} of hours older than ${days} days`;
  return pass.inSteps(days, { deleteSome: whileNotSettling(deleteSome), perStep: blocksPerDelete, what });
}

/** Deletes what held only before the records that are kept, and the oldest inputs in quarantine. @param days 0: for ever */
async function deleteSurplus(pass: RetentionPass, days: number): Promise<void> {
  const deletions: DeleteSome[] = [
    async (executor, _, maxRows) => {
      const beforeMs = await msDaysAgo(executor, days);
      return deleteOldQuarantine(executor, { beforeMs, keepRows: quarantineMaxRows, maxRows });
    },
    ...spanTables.map(superseded),
  ];
  for (const deleteSome of deletions) await pass.inSteps(days, rows(deleteSome));
}

const rows = (deleteSome: DeleteSome): Steps => ({ deleteSome, perStep: rowsPerDelete });

/** What is kept about records that are deleted; the ends of sources, their devices and sums after the readings of the sources. */
const withRecords: readonly DeleteSome[] = [
  whileNotSettling(deleteOldStale),
  deleteOldConflicts,
  deleteOldSeriesEnds,
  deleteOldReadings,
  deleteOldMisses,
  deleteOldEnds,
  deleteOldFrozen,
  deleteOldReporters,
  deleteOldSourceDevices,
  deleteOldTotals,
  deleteOldSpans,
];

/** Records outlive RETENTION_RAW_DAYS by up to a chunk, and callers with bounds see them by the places of their GPUs. */
const chunkDays = 2;

function superseded(table: SpanTable): DeleteSome {
  return async (executor, days, maxRows) => {
    const beforeMs = await msDaysAgo(executor, days);
    return deleteSuperseded(executor, table, { beforeMs, maxRows });
  };
}

/** The same, except hours that are not archived and later ones: records that have come since the hours were looked for are kept, too. */
function exceptUnarchived(deleteSome: DeleteSome): DeleteSome {
  return async (transaction, days, maxRows) => deleteSome(transaction, await daysArchived(transaction, days), maxRows);
}

/** The same, while nothing is settled. */
function whileNotSettling(deleteSome: DeleteSome): DeleteSome {
  return (transaction, days, maxRows) => {
    holdSettling(transaction);
    return deleteSome(transaction, days, maxRows);
  };
}
