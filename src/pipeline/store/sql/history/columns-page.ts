import type { SqlExecutor } from "../../../../db/client.ts";
import { matchingPlaces, restrictsPlaces } from "../../../../db/sql/matching-places.ts";
import { type Places, selectPlaces } from "../../../../db/sql/select-places.ts";
import { selectKeysOf } from "../../../../db/sql/selected-keys.ts";
import type { Gpu, Occupants } from "../../../../domain/gpu.ts";
import { selectsHeld } from "../../../../domain/gpu-selector.ts";
import type { ColumnsFilter, ColumnsPage, StoredColumns } from "../../../../domain/query.ts";
import { dayMs, type TimeRange } from "../../../../domain/time-range.ts";
import type { HistoryPart } from "./history-part.ts";
import { firstFrom } from "./shared-times.ts";
import { firstSlice, historySlice, type SliceStart, withinHistory } from "./history-parts.ts";
import { skipsEmptyHours } from "./skips-empty-hours.ts";

/** Records of a part throughout which its GPU has the same attributes and workloads. */
interface PlacedRun {
  readonly part: HistoryPart;
  readonly gpuKey: number;
  /** The instant of the first one. */
  readonly timeMs: number;
  /** The places of the first one in the part, and after the last one. */
  readonly from: number;
  readonly to: number;
  readonly gpu: Gpu;
  readonly occupants: Occupants;
}

/** Reads a page of the history as columns, of rows and blocks: only the metrics that are asked for are read, and decoded.
 *  @throws UndecodableBlock, and the errors of the executor */
export async function readColumnsPage(executor: SqlExecutor, filter: ColumnsFilter): Promise<ColumnsPage> {
  const { gpus, metrics } = filter;
  const start = filter.cursor ?? (await startOf(executor, filter.range));
  const gpuKeys = start === undefined ? [] : await selectKeysOf(executor, gpus);
  if (start === undefined || gpuKeys.length === 0) return { elements: [], records: 0, next: undefined };
  const wanted = { gpuKeys, metrics, withOthers: true, withRuns: true, skipsEmptyHours: skipsEmptyHours(gpus.within) };
  const { parts, next } = await historySlice(executor, wanted, start);
  const records = parts.reduce((sum, { timesMs }) => sum + timesMs.length, 0);
  return { elements: await columnsOf(executor, filter, parts), records, next };
}

/** A longer range may have no records for the most part. */
async function startOf(executor: SqlExecutor, range: TimeRange): Promise<SliceStart | undefined> {
  if (range.toMs - range.fromMs <= dayMs) return firstSlice(range);
  const filled = await withinHistory(executor, range);
  return filled && firstSlice(filled);
}

async function columnsOf(
  executor: SqlExecutor,
  { gpus }: ColumnsFilter,
  parts: readonly HistoryPart[],
): Promise<StoredColumns[]> {
  if (parts.length === 0) return [];
  let [firstMs, lastMs] = [Infinity, -Infinity];
  for (const { timesMs } of parts) {
    firstMs = Math.min(firstMs, timesMs[0] as number);
    lastMs = Math.max(lastMs, timesMs.at(-1) as number);
  }
  const places = await selectPlaces(executor, { gpuKeys: parts.map(({ gpuKey }) => gpuKey), firstMs, lastMs });
  const held = parts
    .flatMap((part) => [...placedRunsOf(part, places)])
    .filter(({ occupants }) => selectsHeld(gpus, occupants));
  // a place in the history holds for the whole run
  const matching = restrictsPlaces(gpus) ? await matchingPlaces(executor, gpus, held) : held;
  return matching.map(toColumns);
}

/** The runs of a part; none if its GPU is unknown. */
function* placedRunsOf(part: HistoryPart, places: Places): Generator<PlacedRun, void> {
  const { gpuKey, timesMs, runs } = part;
  let end = 0;
  for (const { records, occupants } of runs) {
    let from = end;
    end += records;
    while (from < end) {
      const timeMs = timesMs[from] as number;
      const gpu = places.at(gpuKey, timeMs);
      if (gpu === undefined) return;
      const to = Math.min(end, firstFrom(timesMs, places.untilMs(gpuKey, timeMs)));
      yield { part, gpuKey, timeMs, from, to, gpu, occupants };
      from = to;
    }
  }
}

function toColumns({ part, from, to, gpu, occupants }: PlacedRun): StoredColumns {
  const isWhole = from === 0 && to === part.timesMs.length;
  const cut = (column: Float64Array): Float64Array => (isWhole ? column : column.subarray(from, to));
  const columns = (of: ReadonlyMap<string, Float64Array>): Record<string, Float64Array> =>
    Object.fromEntries(Array.from(of, ([name, column]) => [name, cut(column)]));
  return { gpu, occupants, timesMs: cut(part.timesMs), metrics: columns(part.metrics), custom: columns(part.others) };
}
