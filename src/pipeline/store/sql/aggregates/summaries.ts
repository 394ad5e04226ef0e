import type { RollupsOfHour } from "../../../../db/sql/rollup-hours.ts";
import { decodeNamedColumn } from "../../../../domain/block/named-part.ts";
import { decodeColumn } from "../../../../domain/block/number-column.ts";
import type { Aggregate } from "../../../../domain/query.ts";
import { BucketSums } from "../../../../domain/rollup/bucket-sums.ts";
import type { EntriesAdded } from "../../../../domain/rollup/exact-sums.ts";
import { hasIncrease } from "../../../../domain/rollup/increase.ts";
import { EntriesOfRow, ReusedColumns } from "./reused-columns.ts";
import { type Changes, unpackMetric } from "../../../../domain/rollup/metric-rollup.ts";
import { holderOf } from "../../../../domain/rollup/roll-up.ts";
import { isCounter } from "../../../../domain/rollup/rollup.ts";
import { hourMs } from "../../../../domain/time-range.ts";
import type { HistoryPart } from "../history/history-part.ts";
import { firstFrom } from "../history/shared-times.ts";
import { addCounter, type CounterEnds } from "./counter-ends.ts";
import { Buckets, lengthOf, type Pieces } from "./buckets.ts";
import type { Groups } from "./groups.ts";
import type { OwnRecords } from "./own-records.ts";

/** What to summarize, and how. */
export interface SummaryQuestion {
  /** The span of time that a bucket covers: a whole part of an hour, or whole hours. */
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

/** The summaries of an hour, or of one bucket that is longer. */
export interface SpanOfSums {
  /** Its beginning. */
  readonly fromMs: number;
  readonly sums: BucketSums;
}

/** The counters of a question whose increases are wanted. Those of records within namespaces would tell of the records of others. */
export function risingMetrics({ metrics, own }: Pick<SummaryQuestion, "metrics" | "own">): string[] {
  return own.restrictsNamespaces ? [] : metrics.filter(hasIncrease);
}

/** Summaries of hours or longer buckets, from records and rollups. */
export class Summaries {
  private readonly bySpan = new Map<number, BucketSums>();
  private readonly spanMs: number;
  /** For each metric, whether its increases are wanted. */
  private readonly isRising: readonly boolean[];
  private readonly rises: boolean;
  private readonly reused = new ReusedColumns();
  private readonly added = new EntriesOfRow();
  private readonly buckets: Buckets;

  /** @param ends what is known of the time before */
  constructor(
    private readonly question: SummaryQuestion,
    private readonly ends: CounterEnds,
  ) {
    this.spanMs = Math.max(hourMs, question.widthMs);
    this.buckets = new Buckets(question.widthMs, question.groups);
    const rising = new Set(risingMetrics(question));
    this.isRising = question.metrics.map((name) => rising.has(name));
    this.rises = rising.size > 0;
  }

  /** The summaries of the spans that end before an instant or at it, in the order of time. They are then forgotten. Nothing may be added to
   *  them any more. */
  *before(instantMs: number): Generator<SpanOfSums, void> {
    const { spanMs, question } = this;
    const spans = [...this.bySpan].filter(([fromMs]) => fromMs + spanMs <= instantMs).sort(([a], [b]) => a - b);
    for (const [fromMs, sums] of spans) {
      const toMs = fromMs + spanMs;
      sums.metrics.forEach(({ increases }, metric) => {
        if (increases !== undefined) this.ends.join(question.metrics[metric] as string, { fromMs, toMs }, increases);
      });
      // the hour may go on in a question about the rest of it, which then needs the hour before, too
      this.ends.forgetBefore(toMs - 2 * hourMs);
      this.bySpan.delete(fromMs);
      yield { fromMs, sums };
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

  /** Adds entries of a rollup, each to the first bucket of its span: buckets are whole hours. */
  addRollups(counted: CountedRollups): void {
    const { metrics } = this.question;
    const { row } = counted;
    const { entries } = row;
    const columns = row as unknown as Readonly<Record<string, Uint8Array | null>>;
    const { fromMs, sums } = this.spanOf(row.hour);
    const added = this.cellsOf(counted, fromMs, sums);
    const { values: records } = decodeNamedColumn("records", () =>
      decodeColumn(row.records, entries, this.reused.begin()),
    );
    for (let index = 0; index < added.length; index += 1) {
      const cell = added.cells[index] as number;
      sums.records[cell] = (sums.records[cell] as number) + (records[added.entries[index] as number] as number);
    }
    for (const [metric, name] of metrics.entries()) {
      const bytes = columns[name];
      if (bytes === null || bytes === undefined) continue;
      const take = this.reused.begin();
      const rollup = decodeNamedColumn(name, () => unpackMetric(bytes, { entries, isCounter: isCounter(name), take }));
      sums.addEntries(metric, rollup, added);
      if (this.isRising[metric] === true && rollup.changes) {
        this.addEnds(name, counted, { added, changes: rollup.changes });
      }
    }
  }

  private addEnds(
    name: string,
    { row, gpuKeys, isCounted }: CountedRollups,
    { added, changes }: { readonly added: EntriesAdded; readonly changes: Changes },
  ): void {
    const ends = this.ends.of(row.hour, name);
    const places = this.ends.placesOf(gpuKeys);
    const atMs = row.hour;
    // also of GPUs that are selected only later
    for (let entry = 0; entry < row.entries; entry += 1) {
      const last = changes.lasts[entry] as number;
      const place = places[entry] as number;
      if (Number.isNaN(last) || place < 0 || isCounted?.(gpuKeys[entry] as number) === false) continue;
      ends.setLast({ place, value: last, atMs });
    }
    for (let index = 0; index < added.length; index += 1) {
      const entry = added.entries[index] as number;
      const value = changes.firsts[entry] as number;
      if (!Number.isNaN(value))
        ends.addFirst({ place: places[entry] as number, value, atMs }, added.cells[index] as number);
    }
  }

  /** The entries that count, and their cells: several if an entry belongs to several groups. */
  private cellsOf({ row, gpuKeys, isCounted }: CountedRollups, fromMs: number, sums: BucketSums): EntriesAdded {
    const { groups } = this.question;
    const { groups: ofGpus, areAllSelected, greatest } = groups.ofKeys(gpuKeys, fromMs);
    if (greatest >= 0) sums.cell(greatest, 0);
    if (areAllSelected && isCounted === undefined && !groups.needsHolders) {
      return { entries: this.reused.indexes(row.entries), cells: ofGpus, length: row.entries };
    }
    const packed = groups.needsHolders ? row.holders : null;
    const holders =
      packed === null
        ? undefined
        : decodeNamedColumn("holders", () => decodeColumn(packed, row.entries, this.reused.begin()).values);
    const { groups: ofHolders, only } = groups.ofHolders(row.holderNames ?? "[]");
    const added = this.added;
    added.clear();
    for (let entry = 0; entry < row.entries; entry += 1) {
      const group = ofGpus[entry] as number;
      if (group < 0 || isCounted?.(gpuKeys[entry] as number) === false) continue;
      const ofOne = holders === undefined ? -1 : (only[holders[entry] as number] ?? -1);
      if (ofOne >= 0) {
        added.add(entry, sums.cell(ofOne, 0));
        continue;
      }
      const ofHolder = holders === undefined || (ofHolders[holders[entry] as number] ?? false);
      if (ofHolder === true) added.add(entry, sums.cell(group, 0));
      else if (ofHolder !== false) for (const each of ofHolder) added.add(entry, sums.cell(each, 0));
    }
    return added;
  }

  /** Adds records in a row that have the same holder. */
  private addRun(
    part: HistoryPart,
    { first, end, groups: ofRun }: { first: number; end: number; groups: readonly number[] | boolean },
  ): void {
    if (first >= end || ofRun === false) return;
    const { metrics: names } = this.question;
    const { gpuKey, timesMs, metrics } = part;
    const pieces = this.buckets.piecesOf(timesMs, { first, end });
    const { fromMs, sums } = this.spanOf(timesMs[first] as number);
    const ofGpu = this.buckets.groupsOf(gpuKey, pieces);
    for (const ofEach of ofRun === true ? [undefined] : ofRun) {
      const added = this.buckets.cellsOf(pieces, { ofGpu, ofEach, fromMs, sums });
      for (let piece = 0; piece < added.length; piece += 1) {
        const cell = added.cells[piece] as number;
        if (cell >= 0) sums.records[cell] = (sums.records[cell] as number) + lengthOf(pieces, piece);
      }
      for (let metric = 0; metric < names.length; metric += 1) {
        const values = metrics.get(names[metric] as string);
        if (values !== undefined) sums.addValues(metric, values, added);
      }
    }
    if (this.rises) this.addRises(part, pieces, { ofRun, ofGpu, sums });
  }

  /** Adds how much counters increased, piece by piece. */
  private addRises(
    { gpuKey, timesMs, metrics }: HistoryPart,
    pieces: Pieces,
    { ofRun, ofGpu, sums }: RunOfPieces,
  ): void {
    const { widthMs, metrics: names } = this.question;
    const place = this.ends.placeOf(gpuKey);
    const { bounds, beginsMs } = pieces;
    const hour = Math.floor((timesMs[bounds[0] as number] as number) / hourMs) * hourMs;
    const { fromMs } = this.spanOf(hour);
    for (let piece = 0; piece < beginsMs.length; piece += 1) {
      const beginMs = beginsMs[piece] as number;
      const group = ofGpu[piece] as number;
      const cells = group < 0 ? noCells : cellsAt(sums, (beginMs - fromMs) / widthMs, { ofRun, group });
      const atMs = widthMs < hourMs ? beginMs : hour;
      const [from, to] = [bounds[piece] as number, bounds[piece + 1] as number];
      names.forEach((name, metric) => {
        const values = metrics.get(name);
        if (values === undefined || this.isRising[metric] !== true) return;
        const ends = this.ends.of(hour, name);
        addCounter(sums.metrics[metric]?.increases, { values, from, to }, { ends, place, atMs, cells });
      });
    }
  }

  private spanOf(instantMs: number): SpanOfSums {
    const { widthMs } = this.question;
    const fromMs = Math.floor(instantMs / this.spanMs) * this.spanMs;
    let sums = this.bySpan.get(fromMs);
    if (sums === undefined) this.bySpan.set(fromMs, (sums = new BucketSums(this.spanMs / widthMs, this.isRising)));
    return { fromMs, sums };
  }
}

interface RunOfPieces {
  readonly ofRun: readonly number[] | boolean;
  /** The groups of the GPU. */
  readonly ofGpu: Int32Array;
  readonly sums: BucketSums;
}

/** The aggregates of a cell, without metrics that have no value.
 *  @param names the metrics of the sums, in their order */
export function aggregatesAt(sums: BucketSums, cell: number, names: readonly string[]): Record<string, Aggregate> {
  const present: Record<string, Aggregate> = {};
  for (let metric = 0; metric < names.length; metric += 1) {
    const of = sums.metrics[metric];
    const count = of?.counts[cell] ?? 0;
    if (of === undefined || count === 0) continue;
    const summary = {
      avg: of.sums.sum(cell) / count,
      min: of.minima[cell] as number,
      max: of.maxima[cell] as number,
      count,
    };
    const name = names[metric] as string;
    present[name] = of.increases === undefined ? summary : { ...summary, increase: of.increases.sum(cell) };
  }
  return present;
}

const noCells: readonly number[] = [];

/** The cells of a run in a bucket. */
function cellsAt(
  sums: BucketSums,
  bucket: number,
  { ofRun, group }: { readonly ofRun: readonly number[] | boolean; readonly group: number },
): readonly number[] {
  if (ofRun === true) return [sums.cell(group, bucket)];
  return ofRun === false ? noCells : ofRun.map((each) => sums.cell(each, bucket));
}
