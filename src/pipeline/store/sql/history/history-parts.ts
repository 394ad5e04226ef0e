import type { SqlExecutor } from "../../../../db/client.ts";
import { type ColumnsRow, selectColumns, selectExtent, selectGpuKeys } from "../../../../db/sql/history-columns.ts";
import { selectNextHour } from "../../../../db/sql/filled-hours.ts";
import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
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
  /** True: hours in which no GPU has records are skipped; see the function of that name. */
  readonly skipsEmptyHours: boolean;
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
    size.learn(slice.gpuHours, valuesOf(slice, wanted), wanted.skipsEmptyHours ? valuesPerRecord(wanted) : undefined);
    if (slice.rows.length === 0 && wanted.skipsEmptyHours) await slices.skipEmptyHours(executor);
    // the database reads the next slice while this one is decoded
    reading = read();
    const parts = await partsOf(slice, wanted);
    if (parts.length > 0) yield parts;
  }
}

/** Where a slice begins, and how large it may be. */
export interface SliceStart {
  /** What is left of the range, both bounds finite. */
  readonly range: TimeRange;
  /** Of the first hour of the range, only the GPUs with a higher key are left. */
  readonly afterKey: number;
  readonly gpuHours: number;
}

/** One slice of `historyParts`.
 *  @param wanted `gpuKeys` ascending
 *  @returns its parts, and where the next slice begins: undefined after the last one
 *  @throws UndecodableBlock, and the errors of the executor */
export async function historySlice(
  executor: SqlExecutor,
  wanted: Omit<WantedParts, "range"> & Required<Pick<WantedParts, "gpuKeys">>,
  start: SliceStart,
): Promise<{ readonly parts: readonly HistoryPart[]; readonly next: SliceStart | undefined }> {
  const first = wanted.gpuKeys.findIndex((key) => key > start.afterKey);
  const slices = new Slices(start.range, wanted.gpuKeys, first);
  const bounds = slices.next(start.gpuHours);
  if (bounds === undefined) return { parts: [], next: undefined };
  const slice = await readSlice(executor, { ...wanted, range: start.range }, bounds);
  const size = new SliceSize(start.gpuHours);
  size.learn(slice.gpuHours, valuesOf(slice, wanted), wanted.skipsEmptyHours ? valuesPerRecord(wanted) : undefined);
  if (slice.rows.length === 0 && wanted.skipsEmptyHours) await slices.skipEmptyHours(executor);
  const left = slices.left();
  return {
    parts: await partsOf(slice, wanted),
    next: left && { ...left, gpuHours: size.gpuHours },
  };
}

/** The first slice of a range. */
export function firstSlice(range: TimeRange): SliceStart {
  return { range, afterKey: -Infinity, gpuHours: new SliceSize().gpuHours };
}

async function finiteRange(executor: SqlExecutor, { fromMs, toMs }: TimeRange): Promise<TimeRange | undefined> {
  if (Number.isFinite(fromMs) && Number.isFinite(toMs)) return { fromMs, toMs };
  return withinHistory(executor, { fromMs, toMs });
}

/** The part of a range in which there is history; undefined if there is none at all. */
export async function withinHistory(
  executor: SqlExecutor,
  { fromMs, toMs }: TimeRange,
): Promise<TimeRange | undefined> {
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
  private gpu: number;

  /** @param first the index of the first GPU in the first hour; -1: none are left in this hour */
  constructor(
    private readonly range: TimeRange,
    private readonly gpuKeys: readonly number[],
    first = 0,
  ) {
    this.fromMs = first < 0 ? (Math.floor(range.fromMs / hourMs) + 1) * hourMs : range.fromMs;
    this.gpu = Math.max(0, first);
  }

  /** Goes on at the next hour in which any GPU has records, unless some GPUs are left in the present one. */
  async skipEmptyHours(executor: SqlExecutor): Promise<void> {
    const { fromMs, range } = this;
    if (this.gpu > 0 || fromMs >= range.toMs) return;
    const hour = await selectNextHour(executor, ["telemetry", "blocks"], { fromMs, toMs: range.toMs });
    this.fromMs = hour === undefined ? range.toMs : Math.max(fromMs, hour);
  }

  /** What the slices so far have left; undefined: nothing. */
  left(): Omit<SliceStart, "gpuHours"> | undefined {
    const { fromMs, gpu } = this;
    if (!(fromMs < this.range.toMs)) return undefined;
    return { range: { fromMs, toMs: this.range.toMs }, afterKey: this.gpuKeys[gpu - 1] ?? -Infinity };
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

/** A value of another series in JSON, with its name. */
const charactersPerValue = 24;

/** The number of values that a slice has in memory, about. */
function valuesOf({ rows }: Slice, wanted: Omit<WantedParts, "range">): number {
  const perRecord = valuesPerRecord(wanted);
  return rows.reduce((sum, row) => {
    if (row.kind === "others") return sum + row.runs.length / charactersPerValue;
    return sum + (row.times === null ? 0 : row.records * perRecord);
  }, 0);
}

function valuesPerRecord({ metrics, withOthers, withRuns }: Omit<WantedParts, "range">): number {
  return 1 + metrics.length + (withOthers === true ? 4 : 0) + (withRuns === true ? 1 : 0);
}

/** GPUs whose rows are decoded before other work of the process gets its turn: about 10 ms. */
const gpusPerTurn = 64;

async function partsOf({ rows, range }: Slice, { metrics }: Pick<WantedParts, "metrics">): Promise<HistoryPart[]> {
  const ofGpu = Map.groupBy(rows, ({ gpuKey }) => gpuKey);
  const inRows = rows.filter((row) => row.kind === "rows");
  const inBlocks = rows.filter((row) => row.kind === "block");
  const parts: HistoryPart[] = [];
  for (const [index, row] of inRows.entries()) {
    if (index > 0 && index % gpusPerTurn === 0) await turnOfOthers();
    parts.push(...partsOfRows(row, metrics, ofGpu.get(row.gpuKey)));
  }
  for (const part of await partsOfBlocks(inBlocks, metrics, range)) parts.push(part);
  return parts.sort((a, b) => a.gpuKey - b.gpuKey || (a.timesMs[0] as number) - (b.timesMs[0] as number));
}
