import type { SqlExecutor } from "../../../db/client.ts";
import { type KnownPlaces, type Places, selectPlaces } from "../../../db/sql/select-places.ts";
import type { RecordRow } from "../../../db/sql/select-records.ts";
import { type WholeRecord, WholeRecords } from "./history/block-records.ts";
import type { RollupRow } from "./aggregates/rollup-pages.ts";
import { storedOccupants } from "../../../db/sql/stored-occupants.ts";
import type { Gpu } from "../../../domain/gpu.ts";
import type { GpuBounds } from "../../../domain/gpu-bounds.ts";
import { metricNames } from "../../../domain/metrics.ts";
import type { StoredRecord, StoredRollup } from "../../../domain/query.ts";

// Converts rows of the history to records and rollups, each with its GPU's attributes at its instant. A row whose key no GPU
// has is left out: after a failover, programs older than migration 0005 stored records under keys of another database.

/** What is known of rows that were read. */
interface OfRows {
  /** The bounds of what was read; undefined: none. */
  readonly within?: GpuBounds | undefined;
  /** The places of the GPUs, if they were read with the rows. */
  readonly places?: KnownPlaces | undefined;
}

/** Converts rows to records, in the rows' order. */
export async function recordsOf(
  executor: SqlExecutor,
  rows: readonly (RecordRow | WholeRecord)[],
  of: OfRows = {},
): Promise<StoredRecord[]> {
  const places = await placesOf(executor, rows, of);
  const records: StoredRecord[] = [];
  let ofPart: WholeRecords | undefined;
  for (const row of rows) {
    const gpu = places.at(row.gpuKey, row.timeMs);
    if (gpu === undefined) continue;
    if ("part" in row) {
      // records of a part come one after another, or mostly so
      if (ofPart?.part !== row.part) ofPart = new WholeRecords(row.part);
      records.push(ofPart.at(row.index, gpu));
    } else records.push(toRecord(row, gpu));
  }
  return records;
}

/** Converts rows to rollups, in the rows' order.
 *  @param within the bounds of what was read; undefined: none */
export async function rollupsOf(
  executor: SqlExecutor,
  rows: readonly RollupRow[],
  within?: GpuBounds,
): Promise<StoredRollup[]> {
  const places = await placesOf(executor, rows, { within });
  return rows.flatMap((row) => {
    const gpu = places.at(row.gpuKey, row.timeMs);
    return gpu === undefined ? [] : [{ gpu, timeMs: row.timeMs, records: row.records, metrics: row.metrics }];
  });
}

async function placesOf(
  executor: SqlExecutor,
  rows: readonly { readonly gpuKey: number; readonly timeMs: number }[],
  { within, places }: OfRows,
): Promise<Places> {
  let [firstMs, lastMs] = [Infinity, -Infinity];
  for (const { timeMs } of rows) {
    if (timeMs < firstMs) firstMs = timeMs;
    if (timeMs > lastMs) lastMs = timeMs;
  }
  const known = places?.between(firstMs, lastMs);
  return known ?? selectPlaces(executor, { gpuKeys: rows.map(({ gpuKey }) => gpuKey), firstMs, lastMs, within });
}

function valuesOf(row: object): Readonly<Record<string, unknown>> {
  return row as Readonly<Record<string, unknown>>;
}

/** The record of a row.
 *  @param gpu the GPU as it was at the instant */
export function toRecord(row: RecordRow, gpu: Gpu): StoredRecord {
  const values = valuesOf(row);
  const present: Record<string, number> = {};
  for (const name of metricNames) {
    const value = values[name];
    if (typeof value === "number") present[name] = value;
  }
  return {
    gpu,
    timeMs: row.timeMs,
    metrics: present,
    custom: row.custom ?? {},
    occupants: storedOccupants(row),
  };
}
