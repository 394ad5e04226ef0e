import type { RecordBatch } from "../../src/domain/batch.ts";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import type { ReplayableSource } from "../../src/pipeline/source/source.ts";
import type { ComparableRecord, StoredRecords, Window } from "./stored-records.ts";

export interface Comparison {
  readonly rows: number;
  readonly samples: number;
  readonly missing: number;
  readonly rejected: number;
  readonly records: number;
  /** Descriptions of up to `maxDifferences` differences, one sentence each. */
  readonly differences: readonly string[];
  readonly differenceCount: number;
}

const maxDifferences = 20;

/** The file's values of one GPU. */
interface FileGpu {
  readonly hostname: string;
  readonly gpuId: number;
  /** Instant in milliseconds -> metric -> value. */
  readonly records: Map<number, Map<string, number>>;
}

/** Compares a file with the store: each GPU's place, and its records and values from its first to its last instant in the
 *  file. Records and values that only the store has are differences, too. Also compares the number of rejected inputs, up to
 *  10,000. Holds the file's values in memory (about 100 bytes per sample). */
export async function compareFile(source: ReplayableSource, stored: StoredRecords): Promise<Comparison> {
  const gpus = new Map<string, FileGpu>();
  const sums = { rows: 0, samples: 0, missing: 0, rejected: 0 };
  for await (const { batch } of source.read(source.whole, new AbortController().signal)) {
    sums.rows += batch.tally.rows;
    sums.samples += batch.tally.samples;
    sums.missing += batch.tally.missing;
    sums.rejected += batch.rejected.length;
    addBatch(gpus, batch);
  }
  const differences: string[] = [];
  let differenceCount = 0;
  const differ = (sentence: string): void => {
    differenceCount += 1;
    if (differences.length < maxDifferences) differences.push(sentence);
  };
  let records = 0;
  for (const [uuid, gpu] of gpus) {
    records += gpu.records.size;
    compareGpu(gpu, await stored.recordsOf(windowOf(uuid, gpu)), (what) => differ(`${uuid}: ${what}`));
  }
  const storedRejections = await stored.countRejections(source.sourceId);
  if (storedRejections !== Math.min(sums.rejected, 10_000)) {
    differ(`the file has ${sums.rejected} rejected inputs, but the quarantine has ${storedRejections}`);
  }
  return { ...sums, records, differences, differenceCount };
}

function addBatch(gpus: Map<string, FileGpu>, batch: RecordBatch): void {
  const rows = Array.from({ length: batch.recordCount }, (_, record) => {
    const { uuid, hostname, gpuId } = batch.gpus[batch.gpuIndexes[record] as number] as (typeof batch.gpus)[number];
    let gpu = gpus.get(uuid);
    if (gpu === undefined) gpus.set(uuid, (gpu = { hostname, gpuId, records: new Map() }));
    const timeMs = batch.timesMs[record] as number;
    let values = gpu.records.get(timeMs);
    if (values === undefined) gpu.records.set(timeMs, (values = new Map<string, number>()));
    return values;
  });
  for (const [metric, column] of batch.columns) {
    column.forEach((value, record) => {
      if (!Number.isNaN(value)) rows[record]?.set(metric, value);
    });
  }
  for (const { record, metric, value } of batch.custom) rows[record]?.set(metric, value);
}

function windowOf(uuid: string, gpu: FileGpu): Window {
  let startMs = Infinity;
  let endMs = -Infinity;
  for (const timeMs of gpu.records.keys()) {
    startMs = Math.min(startMs, timeMs);
    endMs = Math.max(endMs, timeMs);
  }
  return { uuid, startMs, endMs };
}

function compareGpu(gpu: FileGpu, stored: readonly ComparableRecord[], differ: (what: string) => void): void {
  const byTime = new Map(stored.map((record) => [record.timeMs, record]));
  for (const [timeMs, values] of gpu.records) {
    const record = byTime.get(timeMs);
    const at = formatTimestamp(timeMs);
    if (record === undefined) {
      differ(`the record at ${at} is in the file, but not in the store`);
      continue;
    }
    byTime.delete(timeMs);
    if (record.hostname !== gpu.hostname)
      differ(`the host is ${gpu.hostname} in the file, ${record.hostname} in the store`);
    if (record.gpuId !== gpu.gpuId) differ(`gpu_id is ${gpu.gpuId} in the file, ${record.gpuId} in the store`);
    compareValues(values, record.values, (what) => differ(`${at} ${what}`));
  }
  for (const timeMs of byTime.keys())
    differ(`the record at ${formatTimestamp(timeMs)} is in the store, but not in the file`);
}

function compareValues(
  file: ReadonlyMap<string, number>,
  stored: ReadonlyMap<string, number>,
  differ: (what: string) => void,
): void {
  for (const [metric, value] of file) {
    const found = stored.get(metric);
    if (found !== value) differ(`${metric} is ${value} in the file, ${found ?? "missing"} in the store`);
  }
  for (const metric of stored.keys()) {
    if (!file.has(metric)) differ(`${metric} is in the store, but not in the file`);
  }
}
