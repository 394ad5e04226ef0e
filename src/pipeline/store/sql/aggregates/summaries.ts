import type { RollupsOfHour } from "../../../../db/sql/rollup-hours.ts";
import { hourMs } from "../../../../db/sql/hour-locks.ts";
import { decodeNumbers } from "../../../../domain/block/number-column.ts";
import type { Aggregate } from "../../../../domain/query.ts";
import { BucketSums } from "../../../../domain/rollup/bucket-sums.ts";
import type { EntriesAdded } from "../../../../domain/rollup/exact-sums.ts";
import { unpackMetric } from "../../../../domain/rollup/metric-rollup.ts";
import { holderOf } from "../../../../domain/rollup/roll-up.ts";
import { type Holder, isCounter } from "../../../../domain/rollup/rollup.ts";
import { firstFrom, type HistoryPart } from "../history/history-part.ts";
import type { Groups } from "./groups.ts";
import type { OwnRecords } from "./own-records.ts";

/** What to summarize, and how. */
export interface SummaryQuestion {
  /** The span of time that a bucket covers: a whole part of an hour. */
  readonly widthMs: number;
  /** Names of the catalogue. */
  readonly metrics: readonly string[];
  readonly groups: Groups;
  readonly own: OwnRecords;
}

/** The entries of a rollup that count. */
export interface CountedRollups {
  readonly row: RollupsOfHour;
  readonly gpuKeys: Float64Array;
  /** Undefined: all of them. */
  readonly isCounted: ((gpuKey: number) => boolean) | undefined;
}

/** Summaries of hours, from records and rollups. */
export class Summaries {
  private readonly byHour = new Map<number, BucketSums>();

  constructor(private readonly question: SummaryQuestion) {}

  /** The summaries of the hours before an instant, in the order of time. They are then forgotten. */
  *before(instantMs: number): Generator<{ readonly hour: number; readonly sums: BucketSums }, void> {
    const hours = [...this.byHour.keys()].filter((hour) => hour < instantMs).sort((a, b) => a - b);
    for (const hour of hours) {
      yield { hour, sums: this.byHour.get(hour) as BucketSums };
      this.byHour.delete(hour);
    }
  }

  /** Adds a GPU's records, with runs if groups need holders. */
  addPart(part: HistoryPart): void {
    const { own, groups } = this.question;
    const { gpuKey, timesMs } = part;
    const hour = Math.floor((timesMs[0] as number) / hourMs) * hourMs;
    for (const { fromMs, toMs } of own.within(gpuKey, { fromMs: hour, toMs: hour + hourMs })) {
      const [first, end] = [firstFrom(timesMs, fromMs), firstFrom(timesMs, toMs)];
      if (!groups.needsHolders) {
        this.addRun(part, { first, end, groups: true });
        continue;
      }
      let from = 0;
      for (const run of part.runs) {
        const to = from + run.records;
        const ofRun = groups.ofHolder(holderOf(run.occupants));
        this.addRun(part, { first: Math.max(first, from), end: Math.min(end, to), groups: ofRun });
        from = to;
      }
    }
  }

  /** Adds entries of a rollup, each to the first bucket of the hour: buckets are whole hours. */
  addRollups(counted: CountedRollups): void {
    const { metrics } = this.question;
    const { row } = counted;
    const { entries } = row;
    const columns = row as unknown as Readonly<Record<string, Uint8Array | null>>;
    const rollups = metrics.map((name) => {
      const bytes = columns[name];
      return bytes === null || bytes === undefined
        ? undefined
        : unpackMetric(bytes, { entries, isCounter: isCounter(name) });
    });
    const sums = this.sumsOf(row.hour);
    const added = this.cellsOf(counted, sums);
    const records = decodeNumbers(row.records, entries);
    for (let index = 0; index < added.length; index += 1) {
      const cell = added.cells[index] as number;
      sums.records[cell] = (sums.records[cell] as number) + (records[added.entries[index] as number] as number);
    }
    rollups.forEach((rollup, metric) => rollup && sums.addEntries(metric, rollup, added));
  }

  /** The entries that count, and their cells: several if an entry belongs to several groups. */
  private cellsOf({ row, gpuKeys, isCounted }: CountedRollups, sums: BucketSums): EntriesAdded {
    const { groups } = this.question;
    const { groups: ofGpus, areAllSelected, greatest } = groups.ofKeys(gpuKeys, row.hour);
    if (greatest >= 0) sums.cell(greatest, 0);
    if (areAllSelected && isCounted === undefined && !groups.needsHolders) {
      return { entries: everyEntry(row.entries), cells: ofGpus, length: row.entries };
    }
    const holders = groups.needsHolders && row.holders !== null ? decodeNumbers(row.holders, row.entries) : undefined;
    const ofHolders = (JSON.parse(row.holderNames ?? "[]") as readonly Holder[]).map((each) => groups.ofHolder(each));
    const [entries, cells]: [number[], number[]] = [[], []];
    for (let entry = 0; entry < row.entries; entry += 1) {
      const group = ofGpus[entry] as number;
      if (group < 0 || isCounted?.(gpuKeys[entry] as number) === false) continue;
      for (const each of numbersOf(holders === undefined || (ofHolders[holders[entry] as number] ?? false), group)) {
        entries.push(entry);
        cells.push(sums.cell(each, 0));
      }
    }
    return { entries: Int32Array.from(entries), cells: Int32Array.from(cells), length: entries.length };
  }

  /** Adds records in a row that have the same holder. */
  private addRun(
    { gpuKey, timesMs, metrics }: HistoryPart,
    { first, end, groups: ofRun }: { first: number; end: number; groups: readonly number[] | boolean },
  ): void {
    if (first >= end || ofRun === false) return;
    const { groups, widthMs, metrics: names } = this.question;
    const columns = names.map((name) => metrics.get(name));
    const hour = Math.floor((timesMs[first] as number) / hourMs) * hourMs;
    const sums = this.sumsOf(hour);
    for (let from = first; from < end;) {
      const bucket = Math.floor(((timesMs[from] as number) - hour) / widthMs);
      const bucketEnd = hour + (bucket + 1) * widthMs;
      let to = from + 1;
      while (to < end && (timesMs[to] as number) < bucketEnd) to += 1;
      const group = groups.at(gpuKey, bucketEnd - widthMs);
      if (group >= 0) {
        for (const each of numbersOf(ofRun, group)) {
          const cell = sums.cell(each, bucket);
          sums.records[cell] = (sums.records[cell] as number) + to - from;
          columns.forEach((values, metric) => values && sums.addValues(cell, metric, { values, from, to }));
        }
      }
      from = to;
    }
  }

  private sumsOf(hour: number): BucketSums {
    let sums = this.byHour.get(hour);
    if (sums === undefined) {
      sums = new BucketSums(hourMs / this.question.widthMs, this.question.metrics.length);
      this.byHour.set(hour, sums);
    }
    return sums;
  }
}

/** The aggregates of a cell, without metrics that have no value.
 *  @param names the metrics of the sums, in their order */
export function aggregatesAt(sums: BucketSums, cell: number, names: readonly string[]): Record<string, Aggregate> {
  const present: Record<string, Aggregate> = {};
  for (let metric = 0; metric < names.length; metric += 1) {
    const of = sums.metrics[metric];
    const count = of?.counts[cell] ?? 0;
    if (of === undefined || count === 0) continue;
    present[names[metric] as string] = {
      avg: of.sums.sum(cell) / count,
      min: of.minima[cell] as number,
      max: of.maxima[cell] as number,
      count,
    };
  }
  return present;
}

/** The indexes of so many entries. */
function everyEntry(count: number): Int32Array {
  const indexes = new Int32Array(count);
  for (let index = 0; index < count; index += 1) indexes[index] = index;
  return indexes;
}

function numbersOf(ofHolder: readonly number[] | boolean, group: number): readonly number[] {
  if (typeof ofHolder !== "boolean") return ofHolder;
  return ofHolder ? [group] : [];
}
