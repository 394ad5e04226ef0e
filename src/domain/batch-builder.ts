import type { CustomValue, InputTally, RecordBatch, RejectedInput } from "./batch.ts";
import { type Gpu, isSameWorkload, noWorkload, type Workload } from "./gpu.ts";
import { metrics } from "./metrics.ts";

/** The index of an element that does not exist. */
const noIndex = -1;

/** A column of doubles that grows. A record without a value has NaN. */
class Column {
  values = new Float64Array(1024).fill(NaN);

  /** @returns true if the record already had a value */
  set(record: number, value: number): boolean {
    if (record >= this.values.length) this.grow(record);
    const previous = this.values[record] as number;
    this.values[record] = value;
    return previous === previous; // NaN is the only value that differs from itself
  }

  private grow(record: number): void {
    const grown = new Float64Array(Math.max(record + 1, this.values.length * 2)).fill(NaN);
    grown.set(this.values);
    this.values = grown;
  }

  cut(length: number): Float64Array {
    if (length > this.values.length) this.grow(length - 1);
    return this.values.slice(0, length);
  }
}

/** Collects samples in any order and merges those of one GPU and instant into one record. Check values first (see value.ts):
 *  the builder accepts every value. */
export class BatchBuilder {
  private gpus: Gpu[] = [];
  private gpuIndexByUuid = new Map<string, number>();
  private workloads: Workload[] = [noWorkload];
  /** By GPU index, only for GPUs with more than one record: a record's instant -> the record's index. */
  private recordsOfGpu: (Map<number, number> | undefined)[] = [];
  private lastTimeOfGpu: number[] = [];
  private lastRecordOfGpu: number[] = [];
  private gpuIndexes: number[] = [];
  private workloadIndexes: number[] = [];
  private timesMs: number[] = [];
  private columns: (Column | undefined)[] = [];
  private customValues = new Map<string, CustomValue>();
  private rejected: RejectedInput[] = [];
  private tally = emptyTally();

  get recordCount(): number {
    return this.timesMs.length;
  }

  /** Data rows counted so far. */
  get rows(): number {
    return this.tally.rows;
  }

  /** Adds a GPU, or replaces the attributes that the batch already has for the GPU's uuid.
   *  @param hint the GPU's index in an earlier batch; if the index in this batch is the same, no search is needed
   *  @returns the GPU's index in this batch */
  gpuIndex(gpu: Gpu, hint = noIndex): number {
    if (this.gpus[hint] === gpu) return hint;
    const existing = this.gpuIndexByUuid.get(gpu.uuid);
    if (existing !== undefined) {
      if (this.gpus[existing] !== gpu) this.gpus[existing] = gpu;
      return existing;
    }
    const index = this.gpus.push(gpu) - 1;
    this.gpuIndexByUuid.set(gpu.uuid, index);
    this.recordsOfGpu.push(undefined);
    this.lastTimeOfGpu.push(NaN);
    this.lastRecordOfGpu.push(noIndex);
    return index;
  }

  /** @returns the batch's GPU with this uuid; undefined if the batch has none */
  gpuOf(uuid: string): Gpu | undefined {
    return this.gpus[this.gpuIndexByUuid.get(uuid) ?? noIndex];
  }

  /** Adds a workload if the batch does not have it.
   *  @param hint the workload's index in an earlier batch; if the index in this batch is the same, no search is needed
   *  @returns the workload's index in this batch */
  workloadIndex(workload: Workload, hint = 0): number {
    if (this.workloads[hint] === workload) return hint;
    if (workload.container === "" && workload.pod === "" && workload.namespace === "") return 0;
    const existing = this.workloads.findLastIndex((other) => isSameWorkload(other, workload));
    return existing > 0 ? existing : this.workloads.push(workload) - 1;
  }

  /** Adds the record of a GPU at an instant if the batch does not have it. A workload other than `noWorkload` replaces the
   *  record's previous workload.
   *  @returns the record's index in this batch */
  record(gpuIndex: number, timeMs: number, workloadIndex: number): number {
    let record = this.lastTimeOfGpu[gpuIndex] === timeMs ? (this.lastRecordOfGpu[gpuIndex] as number) : noIndex;
    if (record === noIndex) record = this.findOrAddRecord(gpuIndex, timeMs);
    if (workloadIndex !== 0) this.workloadIndexes[record] = workloadIndex;
    return record;
  }

  /** Sets a catalogue metric of a record. */
  set(record: number, metricIndex: number, value: number): void {
    const column = (this.columns[metricIndex] ??= new Column());
    if (column.set(record, value)) this.tally.duplicates += 1;
    else this.tally.samples += 1;
  }

  /** Sets a metric that is not in the catalogue. */
  setCustom(record: number, metric: string, value: number): void {
    const key = `${record} ${metric}`;
    if (this.customValues.has(key)) this.tally.duplicates += 1;
    else this.tally.samples += 1;
    this.customValues.set(key, { record, metric, value });
  }

  reject(input: RejectedInput): void {
    this.rejected.push(input);
  }

  count(input: "rows" | "missing" | "blankLines" | "repeatedHeaders", by = 1): void {
    this.tally[input] += by;
  }

  /** Returns the batch; the builder is empty afterwards. */
  build(): RecordBatch {
    const recordCount = this.recordCount;
    const columns = new Map<string, Float64Array>();
    this.columns.forEach((column, index) => {
      const metric = metrics[index];
      if (column !== undefined && metric !== undefined) columns.set(metric.name, column.cut(recordCount));
    });
    const batch: RecordBatch = {
      recordCount,
      gpus: this.gpus,
      workloads: this.workloads,
      gpuIndexes: Uint32Array.from(this.gpuIndexes),
      workloadIndexes: Uint32Array.from(this.workloadIndexes),
      timesMs: Float64Array.from(this.timesMs),
      columns,
      custom: [...this.customValues.values()],
      rejected: this.rejected,
      tally: this.tally,
    };
    this.reset();
    return batch;
  }

  private findOrAddRecord(gpuIndex: number, timeMs: number): number {
    let record = this.recordsOfGpu[gpuIndex]?.get(timeMs);
    if (record === undefined) {
      record = this.timesMs.push(timeMs) - 1;
      this.gpuIndexes.push(gpuIndex);
      this.workloadIndexes.push(0);
      this.rememberRecord(gpuIndex, timeMs, record);
    }
    this.lastTimeOfGpu[gpuIndex] = timeMs;
    this.lastRecordOfGpu[gpuIndex] = record;
    return record;
  }

  private rememberRecord(gpuIndex: number, timeMs: number, record: number): void {
    const lastRecord = this.lastRecordOfGpu[gpuIndex] as number;
    if (lastRecord === noIndex) return; // the GPU's first record needs no map: lastTimeOfGpu is enough to find it
    const records = (this.recordsOfGpu[gpuIndex] ??= new Map([[this.lastTimeOfGpu[gpuIndex] as number, lastRecord]]));
    records.set(timeMs, record);
  }

  private reset(): void {
    this.gpus = [];
    this.gpuIndexByUuid = new Map();
    this.workloads = [noWorkload];
    this.recordsOfGpu = [];
    this.lastTimeOfGpu = [];
    this.lastRecordOfGpu = [];
    this.gpuIndexes = [];
    this.workloadIndexes = [];
    this.timesMs = [];
    this.columns = [];
    this.customValues = new Map();
    this.rejected = [];
    this.tally = emptyTally();
  }
}

function emptyTally(): { -readonly [Key in keyof InputTally]: number } {
  return { rows: 0, samples: 0, missing: 0, duplicates: 0, blankLines: 0, repeatedHeaders: 0 };
}
