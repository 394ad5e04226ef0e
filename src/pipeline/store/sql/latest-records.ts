import type { SqlExecutor } from "../../../db/client.ts";
import { type RecordRow, selectLatest, selectLatestWithValues } from "../../../db/sql/select-records.ts";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import { metrics } from "../../../domain/metrics.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { recordsOf } from "./stored-rows.ts";

/** Reads the newest record of each selected GPU that has values; the newest of all if none has. The hot tier holds the same
 *  record (see mergeRecords). */
export async function latestRecords(executor: SqlExecutor, selector: GpuSelector): Promise<StoredRecord[]> {
  const newest = await selectLatest(executor, selector);
  const empty = newest.filter((row) => !hasValues(row));
  if (empty.length === 0) return recordsOf(executor, newest);
  const keys = empty.map(({ gpuKey }) => gpuKey);
  const earlier = new Map((await selectLatestWithValues(executor, keys)).map((row) => [row.gpuKey, row]));
  return recordsOf(
    executor,
    newest.map((row) => earlier.get(row.gpuKey) ?? row),
  );
}

function hasValues(row: RecordRow): boolean {
  const values = row as unknown as Readonly<Record<string, unknown>>;
  return row.custom !== null || metrics.some(({ name }) => values[name] !== null);
}
