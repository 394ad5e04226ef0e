import type { InputTally, RecordBatch, RejectedInput } from "./batch.ts";
import { GpuDictionary } from "./building/gpu-dictionary.ts";
import { OccupantsDictionary } from "./building/occupants-dictionary.ts";
import type { RecordCursor } from "./building/record-cursor.ts";
import { noSeries, RowLog } from "./building/row-log.ts";
import { SampleValues } from "./building/sample-values.ts";
import { type BatchParts, countsOfOtherHosts, recordsOfOtherHosts, rowsOfOtherHosts } from "./building/two-hosts.ts";
import { withFolds } from "./fold.ts";
import type { Gpu, Workload } from "./gpu.ts";
import { keepRecords } from "./schema/keep-records.ts";
import { withUsedDictionaries } from "./used-dictionaries.ts";

/** The index of an element that does not exist. */
const noIndex = -1;
/** How many of a place's latest records are looked through before a map is made: a scrape has fewer instants. */
const recentRecords = 8;

/** Collects samples in any order and merges those of one GPU and instant into one record. Check values first (see value.ts):
 *  every added value is stored. The batch does not depend on the order of the samples, except for the order of its elements:
 *
 *  - of several values of one series, the greatest is kept;
 *  - a record has the workloads of all its samples;
 *  - a record's attributes are those of its samples: a text wins over an empty one, and the greater of two texts over the other;
 *  - a record's plain value of a metric follows from its labelled series too (see fold.ts);
 *  - if two hosts report one uuid at the same instant, the values of one of them are rejected (see two-hosts.ts). */
export class BatchBuilder {
  private gpus = new GpuDictionary();
  private occupants = new OccupantsDictionary();
  private values = new SampleValues();
  private readonly log = new RowLog();
  /** For each place, the record of its latest instant. */
  private latestRecordOfPlace: number[] = [];
  /** For each record, the record of its place that was the latest before it. */
  private previousRecords: number[] = [];
  /** For each place whose inputs went back in time: the record's instant -> its index. */
  private recordsOfPlace: (Map<number, number> | undefined)[] = [];
  private gpuIndexes: number[] = [];
  private occupantsIndexes: number[] = [];
  private timesMs: number[] = [];
  private rejected: RejectedInput[] = [];
  private counts = noCounts();
  /** Another object for each batch. */
  private batch = {};

  /** @param hostField the name of the input's host column */
  constructor(private readonly hostField = "hostname") {}

  get recordCount(): number {
    return this.timesMs.length;
  }

  /** Data rows counted so far. */
  get rows(): number {
    return this.counts.rows;
  }

  /** Sets the place of the input that is added next, in case it has to be rejected later. */
  moveTo(line: number, byte: number): void {
    this.log.moveTo(line, byte);
  }

  /** Adds a GPU with the attributes of a row.
   *  @param hint the GPU's index in an earlier batch; if the index in this batch is the same, no search is needed
   *  @returns the GPU's index in this batch, for `record` */
  gpuIndex(gpu: Gpu, hint = noIndex): number {
    return this.gpus.indexOf(gpu, hint);
  }

  /** Adds a workload if the batch does not have it.
   *  @param hint the workload's index in an earlier batch; if the index in this batch is the same, no search is needed
   *  @returns the workload's index in this batch, for `record`; 0 for `noWorkload` */
  workloadIndex(workload: Workload, hint = 0): number {
    return this.occupants.indexOf(workload, hint);
  }

  /** Adds the record of a GPU at an instant if the batch does not have it. The record gets the GPU's attributes and the
   *  workload in addition to those that it has.
   *  @returns the record's index, valid until the batch is built */
  record(gpuIndex: number, timeMs: number, workloadIndex: number): number {
    const place = this.gpus.placeOf(gpuIndex);
    const record = this.findOrAddRecord(place, timeMs, gpuIndex);
    const existing = this.gpuIndexes[record] as number;
    if (existing !== gpuIndex) this.gpuIndexes[record] = this.gpus.combinationOf(existing, gpuIndex);
    if (workloadIndex !== 0) {
      this.occupantsIndexes[record] = this.occupants.unionOf(this.occupantsIndexes[record] as number, workloadIndex);
    }
    return record;
  }

  /** The record of the cursor's GPU and workload at an instant, as `record` returns it. */
  recordAt(cursor: RecordCursor, timeMs: number): number {
    if (cursor.timeMs === timeMs && cursor.batch === this.batch) return cursor.record;
    cursor.gpuIndex = this.gpuIndex(cursor.gpu, cursor.gpuIndex);
    cursor.workloadIndex = this.workloadIndex(cursor.workload, cursor.workloadIndex);
    cursor.record = this.record(cursor.gpuIndex, timeMs, cursor.workloadIndex);
    cursor.timeMs = timeMs;
    cursor.batch = this.batch;
    return cursor.record;
  }

  /** Notes a row that describes a record's GPU and has no value. A record whose rows are all of this kind has no values. */
  describe(record: number): void {
    this.log.add(record, noSeries, NaN);
  }

  /** Sets a catalogue metric of a record. */
  set(record: number, metricIndex: number, value: number): void {
    this.values.set(record, metricIndex, value);
    this.log.add(record, metricIndex, value);
  }

  /** Sets a metric that is not in the catalogue, or a labelled series. */
  setCustom(record: number, metric: string, value: number): void {
    this.log.add(record, this.values.setCustom(record, metric, value), value);
  }

  reject(input: RejectedInput): void {
    this.rejected.push(input);
  }

  count(input: keyof ReturnType<typeof noCounts>, by = 1): void {
    this.counts[input] += by;
  }

  /** Returns the batch; the builder is empty afterwards. */
  build(): RecordBatch {
    const { gpuIndexes, timesMs, values, log, hostField, recordCount } = this;
    const custom = values.customValues();
    const batch: RecordBatch = {
      recordCount,
      ...this.gpus.used(gpuIndexes),
      ...this.occupants.used(this.occupantsIndexes),
      timesMs: Float64Array.from(timesMs),
      columns: withFolds(values.cutColumns(recordCount), custom, recordCount),
      custom,
      conflicting: values.lesserValues(),
      rejected: this.rejected,
      tally: this.tally(),
    };
    const uuids = this.gpus.uuidsOfSeveralHosts();
    const parts = { gpus: this.gpus.gpus, gpuIndexes, timesMs, values, log, hostField };
    const built = uuids.size === 0 ? batch : withoutOtherHosts(batch, parts, uuids);
    this.reset();
    return built;
  }

  private tally(): InputTally {
    const { samples, duplicates, conflicts } = this.values;
    return { ...this.counts, samples, duplicates, conflicts };
  }

  private findOrAddRecord(place: number, timeMs: number, gpuIndex: number): number {
    const latest = this.latestRecordOfPlace[place] ?? noIndex;
    const latestMs = latest === noIndex ? -Infinity : (this.timesMs[latest] as number);
    if (timeMs === latestMs) return latest;
    // most inputs are in the order of time, or go back by some instants within a scrape, and need no map
    const existing =
      timeMs > latestMs ? undefined : (this.recentRecord(latest, timeMs) ?? this.recordsByTime(place).get(timeMs));
    if (existing !== undefined) return existing;
    const record = this.timesMs.push(timeMs) - 1;
    this.gpuIndexes.push(gpuIndex);
    this.occupantsIndexes.push(0);
    this.previousRecords.push(latest);
    this.recordsOfPlace[place]?.set(timeMs, record);
    if (timeMs > latestMs) this.latestRecordOfPlace[place] = record;
    return record;
  }

  /** @returns the record of an instant if it is one of the latest of its place */
  private recentRecord(latest: number, timeMs: number): number | undefined {
    let record = latest;
    for (let step = 0; step < recentRecords && record !== noIndex; step += 1) {
      if (this.timesMs[record] === timeMs) return record;
      record = this.previousRecords[record] as number;
    }
    return undefined;
  }

  private recordsByTime(place: number): Map<number, number> {
    const existing = this.recordsOfPlace[place];
    if (existing !== undefined) return existing;
    const records = new Map<number, number>();
    let record = this.latestRecordOfPlace[place] ?? noIndex;
    for (; record !== noIndex; record = this.previousRecords[record] as number) {
      records.set(this.timesMs[record] as number, record);
    }
    return (this.recordsOfPlace[place] = records);
  }

  private reset(): void {
    this.gpus = new GpuDictionary();
    this.occupants = new OccupantsDictionary();
    this.values = new SampleValues(this.recordCount);
    this.log.clear();
    this.recordsOfPlace = [];
    this.latestRecordOfPlace = [];
    this.previousRecords = [];
    this.gpuIndexes = [];
    this.occupantsIndexes = [];
    this.timesMs = [];
    this.rejected = [];
    this.counts = noCounts();
    this.batch = {};
  }
}

function withoutOtherHosts(batch: RecordBatch, parts: BatchParts, uuids: ReadonlySet<string>): RecordBatch {
  const others = recordsOfOtherHosts(parts, uuids);
  if (others.size === 0) return batch;
  const kept = keepRecords(batch, {
    keep: (record) => !others.has(record),
    rejected: rowsOfOtherHosts(parts, others),
  });
  const { samples, duplicates, conflicts } = countsOfOtherHosts(parts, others);
  return withUsedDictionaries({
    ...kept,
    rejected: kept.rejected.toSorted((a, b) => a.byte - b.byte),
    tally: {
      ...batch.tally,
      samples: batch.tally.samples - samples,
      duplicates: batch.tally.duplicates - duplicates,
      conflicts: batch.tally.conflicts - conflicts,
    },
  });
}

function noCounts() {
  return { rows: 0, missing: 0, blankLines: 0, repeatedHeaders: 0 };
}
