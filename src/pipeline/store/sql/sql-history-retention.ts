import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
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
  deleteOldSourceDevices,
  deleteOldSpans,
  deleteOldStale,
  deleteOldTotals,
  tryRetentionLock,
} from "../../../db/sql/delete-old.ts";
import {
  deleteOldQuarantine,
  deleteSuperseded,
  msDaysAgo,
  type SpanTable,
  spanTables,
} from "../../../db/sql/delete-surplus.ts";
import { holdSettling } from "../../../db/sql/hour-locks.ts";
import { type ChunkDeletion, dropEmptyChunks, dropOldChunks } from "./drop-chunks.ts";
import type { HistoryRetention, KeepDays } from "../history-retention.ts";

/** The maximum number of rows that one transaction deletes. The deletion takes about 100 ms, so other statements do not
 *  wait long for the transaction's locks. */
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

  async deleteOlder(keepDays: KeepDays): Promise<string | undefined> {
    const chunks = this.chunks();
    const deleted: string[] = [];
    if (keepDays.raw > 0) {
      deleted.push(...(await this.records(keepDays.raw, chunks)));
      for (const deletion of withRecords) await this.inSteps(keepDays.raw, deletion);
    }
    await this.surplus(keepDays.raw);
    // without its rollups, an hour would be missing in averages although its records are stored
    const rollupDays = keepDays.raw === 0 || keepDays["1h"] === 0 ? 0 : Math.max(keepDays.raw, keepDays["1h"]);
    if (rollupDays > 0) {
      const rollups = await this.inSteps(rollupDays, whileNotSettling(deleteOldRollups), blocksPerDelete);
      if (rollups > 0) deleted.push(`${rollups} rollup(s) of hours older than ${rollupDays} days`);
      await this.inSteps(rollupDays + chunkDays, superseded("gpu_attributes"));
    }
    const emptied = chunks === undefined ? 0 : await dropEmptyChunks(chunks);
    if (emptied > 0) deleted.push(`${emptied} chunk(s) of telemetry without records`);
    return deleted.length === 0 ? undefined : deleted.join("; ");
  }

  /** Deletes what held only before the records that are kept, and the oldest inputs in quarantine. @param days 0: for ever */
  private async surplus(days: number): Promise<void> {
    const deletions: DeleteSome[] = [
      async (executor, _, maxRows) => {
        const beforeMs = await msDaysAgo(executor, days);
        return deleteOldQuarantine(executor, { beforeMs, keepRows: quarantineMaxRows, maxRows });
      },
      ...spanTables.map(superseded),
    ];
    for (const deletion of deletions) await this.inSteps(days, deletion);
  }

  /** Undefined if the table of rows has no chunks. */
  private chunks(): ChunkDeletion | undefined {
    const { isHypertable, timescaleSchema } = this.engine();
    if (!isHypertable || timescaleSchema === undefined) return undefined;
    return { client: this.client, timescaleSchema, alone: (work) => this.alone(work) };
  }

  private async records(days: number, chunks: ChunkDeletion | undefined): Promise<string[]> {
    const dropped = chunks === undefined ? 0 : await dropOldChunks(chunks, days);
    const rows = chunks === undefined ? await this.inSteps(days, whileNotSettling(deleteOldRows)) : 0;
    const blocks = await this.inSteps(days, whileNotSettling(deleteOldBlocks), blocksPerDelete);
    return [
      [dropped, "chunk(s) of telemetry"] as const,
      [rows, "record(s)"] as const,
      [blocks, "block(s)"] as const,
    ].flatMap(([count, noun]) => (count === 0 ? [] : [`${count} ${noun} older than ${days} days`]));
  }

  private async inSteps(days: number, deleteSome: DeleteSome, perStep = rowsPerDelete): Promise<number> {
    let deleted = 0;
    for (;;) {
      const rows = await this.alone((transaction) => deleteSome(transaction, days, perStep));
      deleted += rows;
      if (rows < perStep) return deleted;
    }
  }

  private alone(work: (transaction: SqlTransaction) => Promise<number>): Promise<number> {
    return this.client.transaction(async (transaction) =>
      (await tryRetentionLock(transaction)) ? work(transaction) : 0,
    );
  }
}

type DeleteSome = (transaction: SqlTransaction, days: number, maxRows: number) => Promise<number>;

/** What is kept about records that are deleted; the ends of sources, their devices and sums after the readings of the sources. */
const withRecords: readonly DeleteSome[] = [
  whileNotSettling(deleteOldStale),
  deleteOldConflicts,
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

/** The same, while nothing is settled. */
function whileNotSettling(deleteSome: DeleteSome): DeleteSome {
  return (transaction, days, maxRows) => {
    holdSettling(transaction);
    return deleteSome(transaction, days, maxRows);
  };
}
