import type { SqlExecutor } from "../../../../db/client.ts";
import { type ColumnsRow, selectColumns, selectExtent, selectGpuKeys } from "../../../../db/sql/history-columns.ts";
import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { type HistoryPart, partsOfBlocks, partsOfRows } from "./history-part.ts";
import { SliceSize } from "./slice-size.ts";

/** What to read of the history. */
export interface WantedParts {
  /** Absent: those of all GPUs. */
  readonly gpuKeys?: readonly number[];
  readonly range: TimeRange;
  /** Names of the catalogue; the fewer, the quicker. With an empty list, only the instants are read. */
  readonly metrics: readonly string[];
  /** True: also the metrics outside the catalogue, and the labelled series; absent: the parts have none. */
  readonly withOthers?: boolean;
  /** True: also the runs, with the workloads and what was reported about the GPUs; absent: the parts have none. */
  readonly withRuns?: boolean;
}

/** Reads the history as columns, whether it is in rows or in blocks, slice by slice: what is in memory at a time is bounded, and the
 *  database is free for others between two slices. A slice has the records of all the GPUs in some hours (as far as the range has them), or
 *  those of some of the GPUs in one hour. The slices are in the order of time, their parts in that of the GPUs' keys, then of time. A part is
 *  of one GPU and one hour (UTC), which may have several parts. Each slice is one statement, and so one snapshot; the next one may be
 *  newer. In `metrics`, a metric that no record of a part has may be absent.
 *  @param executor one whose signal and time limit hold between the slices, too
 *  @throws UndecodableBlock, and the errors of the executor */
export async function* historyParts(
  executor: SqlExecutor,
  wanted: WantedParts,
): AsyncGenerator<readonly HistoryPart[], void, undefined> {
  const range = await finiteRange(executor, wanted.range);
  const gpuKeys = wanted.gpuKeys ?? (await selectGpuKeys(executor));
  if (range === undefined || gpuKeys.length === 0) return;
  const size = new SliceSize();
  const slices = new Slices(range, gpuKeys);
  const read = (): Promise<Slice> | undefined => {
    const next = slices.next(size.gpuHours);
    if (next === undefined) return undefined;
    const rows = readSlice(executor, wanted, next);
    // it is awaited later, or not at all if the caller has enough
    rows.catch(() => undefined);
    return rows;
  };
  for (let reading = read(); reading !== undefined;) {
    const slice = await reading;
    size.learn(slice.gpuHours, valuesOf(slice, wanted));
    // the database reads the next slice while this one is decoded
    reading = read();
    const parts = await partsOf(slice, wanted);
    if (parts.length > 0) yield parts;
  }
}

async function finiteRange(executor: SqlExecutor, { fromMs, toMs }: TimeRange): Promise<TimeRange | undefined> {
  if (Number.isFinite(fromMs) && Number.isFinite(toMs)) return { fromMs, toMs };
  const extent = await selectExtent(executor);
  return extent && { fromMs: Math.max(fromMs, extent.fromMs), toMs: Math.min(toMs, extent.toMs) };
}

interface SliceBounds {
  readonly gpuKeys: readonly number[];
  readonly range: TimeRange;
  readonly gpuHours: number;
}

/** Divides hours and GPUs into slices. */
class Slices {
  private fromMs: number;
  private gpu = 0;

  constructor(
    private readonly range: TimeRange,
    private readonly gpuKeys: readonly number[],
  ) {
    this.fromMs = range.fromMs;
  }

  /** @param gpuHours the number of GPUs times hours, at least 1
   *  @returns undefined after the last slice */
  next(gpuHours: number): SliceBounds | undefined {
    if (!(this.fromMs < this.range.toMs)) return undefined;
    const isOneHour = this.gpu > 0 || this.gpuKeys.length > gpuHours;
    const hours = isOneHour ? 1 : Math.floor(gpuHours / this.gpuKeys.length);
    const gpuKeys = isOneHour ? this.gpuKeys.slice(this.gpu, this.gpu + gpuHours) : this.gpuKeys;
    const endMs = Math.min(this.range.toMs, (Math.floor(this.fromMs / hourMs) + hours) * hourMs);
    const range = { fromMs: this.fromMs, toMs: endMs };
    this.gpu = isOneHour && this.gpu + gpuKeys.length < this.gpuKeys.length ? this.gpu + gpuKeys.length : 0;
    if (this.gpu === 0) this.fromMs = endMs;
    return { gpuKeys, range, gpuHours: gpuKeys.length * hours };
  }
}

interface Slice extends SliceBounds {
  readonly rows: readonly ColumnsRow[];
}

async function readSlice(executor: SqlExecutor, wanted: WantedParts, bounds: SliceBounds): Promise<Slice> {
  const { metrics, withOthers = false, withRuns = false } = wanted;
  return { ...bounds, rows: await selectColumns(executor, { ...bounds, metrics, withOthers, withRuns }) };
}

/** The number of values that a slice has in memory, about. */
function valuesOf({ rows }: Slice, { metrics, withOthers, withRuns }: WantedParts): number {
  const perRecord = 1 + metrics.length + (withOthers === true ? 4 : 0) + (withRuns === true ? 1 : 0);
  const records = rows.reduce((sum, row) => sum + (row.times === null ? 0 : row.records), 0);
  return records * perRecord;
}

async function partsOf({ rows, range }: Slice, { metrics }: WantedParts): Promise<HistoryPart[]> {
  const ofGpu = Map.groupBy(rows, ({ gpuKey }) => gpuKey);
  const inRows = rows.filter((row) => row.kind === "rows");
  const inBlocks = rows.filter((row) => row.kind === "block");
  const parts = [
    ...inRows.flatMap((row) => partsOfRows(row, metrics, ofGpu.get(row.gpuKey))),
    ...(await partsOfBlocks(inBlocks, metrics, range)),
  ];
  return parts.sort((a, b) => a.gpuKey - b.gpuKey || (a.timesMs[0] as number) - (b.timesMs[0] as number));
}
