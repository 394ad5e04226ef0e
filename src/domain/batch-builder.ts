import type { CustomValue, InputTally, RecordBatch, RejectedInput } from "./batch.ts";
import { type Gpu, isSameWorkload, noWorkload, type Workload } from "./gpu.ts";
import { metrics } from "./metrics.ts";

const noRow = -1;

/** Grows a column of doubles; NaN where nothing was set. */
class Column {
  values = new Float64Array(1024).fill(NaN);

  set(row: number, value: number): boolean {
    if (row >= this.values.length) this.grow(row);
    const before = this.values[row] as number;
    this.values[row] = value;
    return before === before; // NaN is the only value that differs from itself
  }

  private grow(row: number): void {
    const grown = new Float64Array(Math.max(row + 1, this.values.length * 2)).fill(NaN);
    grown.set(this.values);
    this.values = grown;
  }

  cut(length: number): Float64Array {
    if (length > this.values.length) this.grow(length - 1);
    return this.values.slice(0, length);
  }
}

/** Collects samples in any order and merges those of one GPU and instant into one record.
 *  Values must be judged before (see value.ts): what is added is stored. */
export class BatchBuilder {
  private gpus: Gpu[] = [];
  private gpuIndexByUuid = new Map<string, number>();
  private workloads: Workload[] = [noWorkload];
  /** Time -> row, for GPUs with more than one row. */
  private rowsOfGpu: (Map<number, number> | undefined)[] = [];
  private lastTimeOfGpu: number[] = [];
  private lastRowOfGpu: number[] = [];
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

  /** True where there is nothing to carry: no record, no rejected input, no counted row. */
  get isEmpty(): boolean {
    return this.recordCount === 0 && this.rejected.length === 0 && this.tally.rows === 0 && this.tally.blankLines === 0;
  }

  /** Data rows counted so far. */
  get rows(): number {
    return this.tally.rows;
  }

  /** @param hint its index in an earlier batch; saves the look-up where it holds again
   *  @returns the GPU's index in this batch; a uuid that comes again with other attributes takes the newer ones */
  gpuIndex(gpu: Gpu, hint = noRow): number {
    if (this.gpus[hint] === gpu) return hint;
    const known = this.gpuIndexByUuid.get(gpu.uuid);
    if (known !== undefined) {
      if (this.gpus[known] !== gpu) this.gpus[known] = gpu;
      return known;
    }
    const index = this.gpus.push(gpu) - 1;
    this.gpuIndexByUuid.set(gpu.uuid, index);
    this.rowsOfGpu.push(undefined);
    this.lastTimeOfGpu.push(NaN);
    this.lastRowOfGpu.push(noRow);
    return index;
  }

  /** @returns the GPU of this uuid as the batch has it, undefined where it has none */
  gpuOf(uuid: string): Gpu | undefined {
    return this.gpus[this.gpuIndexByUuid.get(uuid) ?? noRow];
  }

  /** @param hint its index in an earlier batch; saves the look-up where it holds again
   *  @returns the workload's index in this batch */
  workloadIndex(workload: Workload, hint = 0): number {
    if (this.workloads[hint] === workload) return hint;
    if (workload.container === "" && workload.pod === "" && workload.namespace === "") return 0;
    const known = this.workloads.findLastIndex((other) => isSameWorkload(other, workload));
    return known > 0 ? known : this.workloads.push(workload) - 1;
  }

  /** @returns the row of the record of this GPU and instant, made where there is none yet; a workload other than
   *  'none' replaces the one before */
  row(gpuIndex: number, timeMs: number, workloadIndex: number): number {
    let row = this.lastTimeOfGpu[gpuIndex] === timeMs ? (this.lastRowOfGpu[gpuIndex] as number) : noRow;
    if (row === noRow) row = this.findOrAddRow(gpuIndex, timeMs);
    if (workloadIndex !== 0) this.workloadIndexes[row] = workloadIndex;
    return row;
  }

  /** Sets a catalogue metric of a record. */
  set(row: number, metricIndex: number, value: number): void {
    const column = (this.columns[metricIndex] ??= new Column());
    if (column.set(row, value)) this.tally.duplicates += 1;
    else this.tally.samples += 1;
  }

  /** Sets a metric that the catalogue does not know. */
  setCustom(row: number, metric: string, value: number): void {
    const key = `${row} ${metric}`;
    if (this.customValues.has(key)) this.tally.duplicates += 1;
    else this.tally.samples += 1;
    this.customValues.set(key, { record: row, metric, value });
  }

  reject(input: RejectedInput): void {
    this.rejected.push(input);
  }

  count(what: "rows" | "missing" | "blankLines" | "repeatedHeaders", by = 1): void {
    this.tally[what] += by;
  }

  /** Hands out the batch; the builder starts over, empty. */
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

  private findOrAddRow(gpuIndex: number, timeMs: number): number {
    let row = this.rowsOfGpu[gpuIndex]?.get(timeMs);
    if (row === undefined) {
      row = this.timesMs.push(timeMs) - 1;
      this.gpuIndexes.push(gpuIndex);
      this.workloadIndexes.push(0);
      this.rememberRow(gpuIndex, timeMs, row);
    }
    this.lastTimeOfGpu[gpuIndex] = timeMs;
    this.lastRowOfGpu[gpuIndex] = row;
    return row;
  }

  private rememberRow(gpuIndex: number, timeMs: number, row: number): void {
    const lastRow = this.lastRowOfGpu[gpuIndex] as number;
    if (lastRow === noRow) return; // the only one: lastTimeOfGpu says it
    const rows = (this.rowsOfGpu[gpuIndex] ??= new Map([[this.lastTimeOfGpu[gpuIndex] as number, lastRow]]));
    rows.set(timeMs, row);
  }

  private reset(): void {
    this.gpus = [];
    this.gpuIndexByUuid = new Map();
    this.workloads = [noWorkload];
    this.rowsOfGpu = [];
    this.lastTimeOfGpu = [];
    this.lastRowOfGpu = [];
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
