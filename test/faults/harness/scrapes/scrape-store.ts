import type { PostgresClient } from "../../../../src/db/postgres-client.ts";
import { selectCoverage } from "../../../../src/db/sql/select-coverage.ts";
import { coveragePage } from "../../../../src/pipeline/store/sql/coverage-rows.ts";
import type { CoverageFilter, CoverageRow } from "../../../../src/domain/coverage.ts";

/** The ledger of a target: what the store has counted. */
export interface LedgerOfTarget {
  readonly sourceId: string;
  readonly due: number;
  readonly received: number;
  readonly late: number;
  /** Reason -> readings. */
  readonly missed: Readonly<Record<string, number>>;
  /** The scheduled times of the first and the last reading. */
  readonly firstMs: number;
  readonly lastMs: number;
}

export async function ledgersIn(database: PostgresClient): Promise<readonly LedgerOfTarget[]> {
  const rows = await database.query<Omit<LedgerOfTarget, "missed"> & { missed: readonly Record<string, number>[] }>(
    `select source_id as "sourceId", sum(due)::float8 as due, sum(received)::float8 as received, sum(late)::float8 as late,
       jsonb_agg(missed) as missed, (extract(epoch from min(first_at)) * 1000)::float8 as "firstMs",
       (extract(epoch from max(last_at)) * 1000)::float8 as "lastMs"
     from source_readings group by source_id`,
  );
  return rows.map((row) => ({ ...row, missed: summed(row.missed) }));
}

/** Sums counts by their names. */
export function summed(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const count of counts) {
    for (const [name, value] of Object.entries(count)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

/** A stored record of a GPU. */
export interface StoredRecord {
  readonly uuid: string;
  readonly timeMs: number;
  readonly used: number | null;
  readonly free: number | null;
}

export function recordsIn(database: PostgresClient): Promise<readonly StoredRecord[]> {
  return database.query<StoredRecord>(
    `select g.uuid, (extract(epoch from t.time) * 1000)::float8 as "timeMs", memory_used_mb::float8 as used,
       memory_free_mb::float8 as free
     from telemetry_all t join gpus g using (gpu_key) order by t.time`,
  );
}

/** The ids of the messages that are stored. */
export async function messagesIn(database: PostgresClient): Promise<ReadonlySet<string>> {
  const rows = await database.query<{ id: string }>("select message_id as id from ingested_messages");
  return new Set(rows.map(({ id }) => id));
}

const rowsMax = 1000;
const hourMs = 3_600_000;

/** The coverage of all targets, as the API gives it. */
export async function coverageIn(database: PostgresClient, nowMs: number): Promise<readonly CoverageRow[]> {
  const filter: CoverageFilter = {
    ...{ groupBy: "target", gpus: {}, step: "total", nowMs, limit: rowsMax },
    range: { fromMs: nowMs - 2 * hourMs, toMs: nowMs },
  };
  return coveragePage(await selectCoverage(database, filter), filter).rows;
}
