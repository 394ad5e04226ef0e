import type { SqlClient, SqlExecutor } from "../../../db/client.ts";
import type { DatabaseEngine } from "../../../db/engine.ts";
import {
  deleteOldConflicts,
  deleteOldEnds,
  deleteOldFrozen,
  deleteOldMisses,
  deleteOldReadings,
  deleteOldReporters,
  deleteOldRows,
  deleteOldSpans,
  dropOldChunks,
  tryRetentionLock,
} from "../../../db/sql/delete-old.ts";
import type { HistoryRetention, KeepDays } from "../history-retention.ts";

/** The maximum number of rows that one transaction deletes. The deletion takes about 100 ms, so other statements do not
 *  wait long for the transaction's locks. */
const rowsPerDelete = 10_000;

/** Deletes old telemetry: chunks if the table is a hypertable, else rows. While another process deletes, this one deletes nothing. */
export class SqlHistoryRetention implements HistoryRetention {
  constructor(
    private readonly client: SqlClient,
    private readonly engine: () => DatabaseEngine,
  ) {}

  async deleteOlder(keepDays: KeepDays): Promise<string | undefined> {
    const { isHypertable } = this.engine();
    const deleted: string[] = [];
    if (keepDays.raw > 0) {
      const raw = isHypertable ? await this.chunks(keepDays.raw) : await this.rows(keepDays.raw);
      if (raw !== undefined) deleted.push(raw);
      await this.inSteps(keepDays.raw, deleteOldConflicts);
      await this.inSteps(keepDays.raw, deleteOldReadings);
      await this.inSteps(keepDays.raw, deleteOldMisses);
      await this.inSteps(keepDays.raw, deleteOldEnds);
      await this.inSteps(keepDays.raw, deleteOldFrozen);
      await this.inSteps(keepDays.raw, deleteOldReporters);
      await this.inSteps(keepDays.raw, deleteOldSpans);
    }
    return deleted.length === 0 ? undefined : deleted.join("; ");
  }

  private async chunks(days: number): Promise<string | undefined> {
    const { timescaleSchema } = this.engine();
    if (timescaleSchema === undefined) return undefined;
    const dropped = await this.alone((executor) => dropOldChunks(executor, { timescaleSchema, days }));
    return dropped === 0 ? undefined : `${dropped} chunk(s) of telemetry older than ${days} days`;
  }

  private async rows(days: number): Promise<string | undefined> {
    const deleted = await this.inSteps(days, deleteOldRows);
    return deleted === 0 ? undefined : `${deleted} record(s) older than ${days} days`;
  }

  private async inSteps(days: number, deleteSome: typeof deleteOldRows): Promise<number> {
    let deleted = 0;
    for (;;) {
      const rows = await this.alone((executor) => deleteSome(executor, days, rowsPerDelete));
      deleted += rows;
      if (rows < rowsPerDelete) return deleted;
    }
  }

  private alone(work: (executor: SqlExecutor) => Promise<number>): Promise<number> {
    return this.client.transaction(async (executor) => ((await tryRetentionLock(executor)) ? work(executor) : 0));
  }
}
