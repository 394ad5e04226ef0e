import type { SqlExecutor } from "../../../db/client.ts";
import { selectLatest, selectLatestWithValues } from "../../../db/sql/select-latest.ts";
import type { RecordRow } from "../../../db/sql/select-records.ts";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import { metricNames, metrics } from "../../../domain/metrics.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { allTime } from "../../../domain/time-range.ts";
import { recordRowOf, recordsAt } from "./history/block-records.ts";
import { type HistoryPart, partsOfBlocks } from "./history/history-part.ts";
import type { OnUnreadable } from "../telemetry-queries.ts";
import { recordsOf } from "./stored-rows.ts";

/** Blocks that are read at a time. */
const gpusPerStatement = 512;

/** Reads the newest record of each selected GPU that has values; the newest of all if none has. The hot tier holds the same
 *  record (see mergeRecords).
 *  @param onUnreadable as for `FleetQueries` */
export async function latestRecords(
  executor: SqlExecutor,
  selector: GpuSelector,
  onUnreadable?: OnUnreadable,
): Promise<StoredRecord[]> {
  const newest = await newestRecords(executor, selector, onUnreadable);
  const empty = newest.filter((row) => !hasValues(row)).map(({ gpuKey }) => gpuKey);
  if (empty.length === 0) return recordsOf(executor, newest);
  const earlier = new Map<number, RecordRow>();
  for (let from = 0; from < empty.length; from += gpusPerStatement) {
    for (const row of await latestWithValues(executor, empty.slice(from, from + gpusPerStatement), onUnreadable)) {
      earlier.set(row.gpuKey, row);
    }
  }
  return recordsOf(
    executor,
    newest.map((row) => earlier.get(row.gpuKey) ?? row),
  );
}

async function newestRecords(
  executor: SqlExecutor,
  selector: GpuSelector,
  onUnreadable: OnUnreadable | undefined,
): Promise<RecordRow[]> {
  const newest = await selectLatest(executor, selector);
  const isRow = (record: (typeof newest)[number]): record is RecordRow => record.custom !== undefined;
  const settled = new Map(
    (
      await recordsAt(
        executor,
        newest.filter((record) => !isRow(record)),
        onUnreadable,
      )
    ).map((row) => [row.gpuKey, row]),
  );
  return newest.flatMap((record) => (isRow(record) ? record : (settled.get(record.gpuKey) ?? [])));
}

/** The newest record that has values, of each GPU that has such a record. */
async function latestWithValues(
  executor: SqlExecutor,
  gpuKeys: readonly number[],
  onUnreadable: OnUnreadable | undefined,
): Promise<RecordRow[]> {
  const { rows, blocks } = await selectLatestWithValues(executor, gpuKeys);
  const parts = await partsOfBlocks(blocks, metricNames, { ...allTime, onUnreadable });
  const newest = new Map(rows.map((row) => [row.gpuKey, row]));
  for (const part of parts) {
    const row = recordRowOf(part, lastWithValue(part));
    if (row.timeMs > (newest.get(row.gpuKey)?.timeMs ?? -Infinity)) newest.set(row.gpuKey, row);
  }
  return [...newest.values()];
}

function lastWithValue({ metrics: columns, others }: HistoryPart): number {
  const lasts = [...columns.values(), ...others.values()].map((column) =>
    column.findLastIndex((value) => !Number.isNaN(value)),
  );
  return Math.max(...lasts);
}

function hasValues(row: RecordRow): boolean {
  const values = row as unknown as Readonly<Record<string, unknown>>;
  return row.custom !== null || metrics.some(({ name }) => typeof values[name] === "number");
}
