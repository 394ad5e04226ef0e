import type { SqlExecutor } from "../../../../db/client.ts";
import { selectLastHour, selectNextHour } from "../../../../db/sql/filled-hours.ts";
import { selectRollupExtent } from "../../../../db/sql/rollup-hours.ts";
import { dependsOnTime, selectedBuckets } from "../../../../db/sql/rollup-selection.ts";
import { selectKeysOf } from "../../../../db/sql/selected-keys.ts";
import { selectOwnSpans } from "../../../../db/sql/select-spans.ts";
import type { GpuBounds } from "../../../../domain/gpu-bounds.ts";
import { metricNames } from "../../../../domain/metrics.ts";
import {
  type Aggregate,
  type EachGpuFilter,
  type HistoryPage,
  type RecordFilter,
  type RollupResolution,
  rollupMs,
} from "../../../../domain/query.ts";
import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { Groups } from "./groups.ts";
import { OwnRecords } from "./own-records.ts";
import { aggregatesAt, type SummaryQuestion } from "./summaries.ts";
import { summarize } from "./summarize.ts";
import { TimeWindows } from "./time-windows.ts";

/** A summary of a GPU's records in a minute, an hour or a day. */
export interface RollupRow {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly records: number;
  readonly metrics: Readonly<Record<string, Aggregate>>;
}

/** A GPU and the beginning of a bucket. */
type Place = Pick<RollupRow, "gpuKey" | "timeMs">;

/** Places whose attributes are looked up at a time. */
const placesAtATime = 2000;

/** Reads a page of rollups, newest first unless `filter.isForward`. */
export async function rollupPage(
  executor: SqlExecutor,
  filter: RecordFilter,
  resolution: RollupResolution,
): Promise<HistoryPage<RollupRow>> {
  const { gpus, cursor, limit, isForward = false } = filter;
  const gpuKeys = await selectKeysOf(executor, gpus);
  const reader = await RollupReader.open(executor, { gpuKeys, within: gpus.within, resolution });
  const found: Place[] = [];
  const isPast = ({ timeMs, gpuKey }: Place): boolean =>
    cursor === undefined || (timeMs - cursor.timeMs || gpuKey - cursor.gpuKey) * (isForward ? 1 : -1) > 0;
  const ends = isForward
    ? { fromMs: cursor?.timeMs ?? -Infinity, toMs: Infinity }
    : { fromMs: -Infinity, toMs: (cursor?.timeMs ?? Infinity) + 1 };
  for await (const places of reader.places(within(filter.range, ends), isForward, limit)) {
    const past = places.filter(isPast);
    for (let from = 0; from < past.length && found.length <= limit; from += placesAtATime) {
      found.push(...(await selected(executor, gpus, past.slice(from, from + placesAtATime))));
    }
    if (found.length > limit) break;
  }
  const elements = await reader.rows(found.slice(0, limit));
  const last = found[limit - 1];
  return { elements, next: found.length > limit ? last : undefined };
}

/** Reads the newest rollups of each of many GPUs, in any order. */
export async function rollupsOfEachGpu(
  executor: SqlExecutor,
  { uuids, within: bounds, range, limit }: EachGpuFilter,
  resolution: RollupResolution,
): Promise<RollupRow[]> {
  const gpuKeys = await selectKeysOf(executor, { uuids, ...(bounds && { within: bounds }) });
  const reader = await RollupReader.open(executor, { gpuKeys, within: bounds, resolution });
  const found = new Map<number, Place[]>(gpuKeys.map((gpuKey) => [gpuKey, []]));
  for await (const places of reader.places(range, false, limit * gpuKeys.length)) {
    for (const place of places) {
      const ofGpu = found.get(place.gpuKey);
      if (ofGpu !== undefined && ofGpu.length < limit) ofGpu.push(place);
    }
    if ([...found.values()].every(({ length }) => length === limit)) break;
  }
  return reader.rows([...found.values()].flat());
}

async function selected(executor: SqlExecutor, gpus: RecordFilter["gpus"], places: readonly Place[]): Promise<Place[]> {
  if (!dependsOnTime(gpus)) return [...places];
  const indexes = await selectedBuckets(executor, gpus, {
    gpuKeys: places.map(({ gpuKey }) => gpuKey),
    timesMs: places.map(({ timeMs }) => timeMs),
  });
  return indexes.flatMap((index) => places[index] ?? []);
}

function within(a: TimeRange, b: TimeRange): TimeRange {
  return { fromMs: Math.max(a.fromMs, b.fromMs), toMs: Math.min(a.toMs, b.toMs) };
}

interface OpenOptions {
  /** Ascending. */
  readonly gpuKeys: readonly number[];
  readonly within: GpuBounds | undefined;
  readonly resolution: RollupResolution;
}

/** Reads the rollups of some GPUs: first which there are, then those that are wanted. */
class RollupReader {
  private readonly gpuKeys: readonly number[];
  private readonly widthMs: number;

  private constructor(
    private readonly executor: SqlExecutor,
    private readonly own: OwnRecords,
    { gpuKeys, resolution }: OpenOptions,
  ) {
    this.gpuKeys = gpuKeys;
    this.widthMs = rollupMs[resolution];
  }

  static async open(executor: SqlExecutor, options: OpenOptions): Promise<RollupReader> {
    const { within: bounds } = options;
    const hasPlaces = bounds?.clusters !== undefined || bounds?.hosts !== undefined;
    const spans = hasPlaces ? await selectOwnSpans(executor, bounds) : undefined;
    return new RollupReader(executor, new OwnRecords(bounds, spans), options);
  }

  /** The places that begin in a range, in the order of a page.
   *  @param wanted about so many are wanted */
  async *places(range: TimeRange, isForward: boolean, wanted: number): AsyncGenerator<readonly Place[], void> {
    const { widthMs, gpuKeys } = this;
    const extent = gpuKeys.length === 0 ? undefined : await selectRollupExtent(this.executor);
    if (extent === undefined) return;
    const begin = (bound: number): number => Math.ceil(bound / widthMs) * widthMs;
    const stored = { fromMs: Math.floor(extent.fromMs / widthMs) * widthMs, toMs: begin(extent.toMs) };
    const { fromMs, toMs } = within(stored, { fromMs: begin(range.fromMs), toMs: begin(range.toMs) });
    const unitMs = Math.max(hourMs, widthMs);
    const units = Math.ceil((wanted * widthMs) / unitMs / gpuKeys.length);
    const windows = new TimeWindows({ fromMs, toMs }, { isForward, unitMs, units, gpus: gpuKeys.length });
    for (let window = windows.next(); window !== undefined; window = windows.next()) {
      const places: Place[] = [];
      for await (const { timeMs, gpuKey } of this.cells(window, gpuKeys, [])) places.push({ timeMs, gpuKey });
      if (places.length === 0 && this.own.skipsEmptyHours) windows.skipTo(await this.nextHour(windows.left, isForward));
      yield isForward ? places : places.reverse();
    }
  }

  /** The next hour of which there are records or rollups, of any GPU. */
  private async nextHour(range: TimeRange, isForward: boolean): Promise<number | undefined> {
    if (!(range.fromMs < range.toMs)) return undefined;
    return (isForward ? selectNextHour : selectLastHour)(this.executor, ["telemetry", "blocks", "rollups"], range);
  }

  /** The rollups at some places; those that are deleted meanwhile are left out. In the order of the places. */
  async rows(places: readonly Place[]): Promise<RollupRow[]> {
    if (places.length === 0) return [];
    const keyOf = ({ timeMs, gpuKey }: Place): string => `${timeMs} ${gpuKey}`;
    const wanted = new Map(places.map((place, index) => [keyOf(place), index]));
    const gpuKeys = [...new Set(places.map(({ gpuKey }) => gpuKey))].sort((a, b) => a - b);
    const times = places.map(({ timeMs }) => timeMs);
    const first = times.reduce((least, timeMs) => Math.min(least, timeMs), Infinity);
    const last = times.reduce((greatest, timeMs) => Math.max(greatest, timeMs), -Infinity);
    const rows: RollupRow[] = [];
    for await (const row of this.cells({ fromMs: first, toMs: last + this.widthMs }, gpuKeys, metricNames)) {
      const index = wanted.get(keyOf(row));
      if (index !== undefined) rows[index] = row.read();
    }
    return rows.flatMap((row) => row);
  }

  /** The buckets with records of some GPUs, in the order of time, then of keys. */
  private async *cells(
    range: TimeRange,
    gpuKeys: readonly number[],
    names: readonly string[],
  ): AsyncGenerator<Place & { readonly read: () => RollupRow }, void> {
    const { widthMs, own } = this;
    const spans = gpuKeys.map((gpuKey) => ({ gpuKey, fromMs: -Infinity, toMs: Infinity, group: [String(gpuKey)] }));
    const groups = new Groups(spans, "gpu", own);
    const question: SummaryQuestion = { widthMs, metrics: names, groups, own };
    for await (const { fromMs, sums } of summarize(this.executor, range, question)) {
      for (let bucket = 0; bucket < sums.buckets; bucket += 1) {
        for (let group = 0; group < Math.min(sums.groupCount, groups.gpuKeys.length); group += 1) {
          const cell = sums.cell(group, bucket);
          const records = sums.records[cell] as number;
          if (records === 0) continue;
          const place = { gpuKey: groups.gpuKeys[group] as number, timeMs: fromMs + bucket * widthMs };
          yield { ...place, read: () => ({ ...place, records, metrics: aggregatesAt(sums, cell, names) }) };
        }
      }
    }
  }
}
