import type { RecordBatch } from "../../src/domain/batch.ts";
import { isSameOccupants } from "../../src/domain/gpu.ts";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import type { ReplayableSource } from "../../src/pipeline/source/source.ts";
import { type FileRecord, mergedRecord, recordsOf, valuesOf } from "./file-records.ts";
import { compareRejections, FileRejections } from "./compare-rejections.ts";
import type { ComparableRecord, StoredRecords, Window } from "./stored-records.ts";

export interface Comparison {
  readonly rows: number;
  readonly samples: number;
  readonly missing: number;
  readonly rejected: number;
  /** Values of the same series and instant that differ. */
  readonly conflicts: number;
  readonly records: number;
  /** Descriptions of up to `maxDifferences` differences, one sentence each. */
  readonly differences: readonly string[];
  readonly differenceCount: number;
  /** A sentence about what could not be compared; absent: everything was compared. */
  readonly unknown?: string | undefined;
  /** A sentence about where the rejected inputs are, if they are not under the file's own id. */
  readonly note?: string | undefined;
}

const maxDifferences = 20;

/** The file's records of one GPU or MIG instance, by instant in milliseconds. */
type FileGpu = Map<number, FileRecord>;

/** Compares a file with the store: the cluster, place, workloads and values of the records of each GPU and MIG instance, from its first to
 *  its last instant in the file. Records and values that only the store has are differences, too. Also compares the rejected inputs
 *  whose number does not depend on the batches. Holds the file's values in memory (about 100 bytes per sample).
 *  @param onProgress called with what is done, often */
export async function compareFile(
  source: ReplayableSource,
  stored: StoredRecords,
  onProgress: (text: string) => void = () => undefined,
): Promise<Comparison> {
  const gpus = new Map<string, FileGpu>();
  const sums = { rows: 0, samples: 0, missing: 0, rejected: 0, conflicts: 0 };
  const rejections = new FileRejections();
  for await (const { batch } of source.read(source.whole, new AbortController().signal)) {
    sums.rows += batch.tally.rows;
    sums.samples += batch.tally.samples;
    sums.missing += batch.tally.missing;
    sums.rejected += batch.rejected.length;
    rejections.add(batch.rejected);
    sums.conflicts += batch.tally.conflicts + addBatch(gpus, batch);
    onProgress(`${sums.rows} rows read`);
  }
  const differences: string[] = [];
  let differenceCount = 0;
  const differ = (sentence: string): void => {
    differenceCount += 1;
    if (differences.length < maxDifferences) differences.push(sentence);
  };
  let records = 0;
  let compared = 0;
  for (const [uuid, gpu] of gpus) {
    onProgress(`${compared} of ${gpus.size} GPUs compared`);
    compared += 1;
    records += gpu.size;
    compareGpu(gpu, await stored.recordsOf(windowOf(uuid, gpu)), (what) => differ(`${uuid}: ${what}`));
  }
  const { difference, unknown, note } = await compareRejections(rejections, stored, source.sourceId);
  if (difference !== undefined) differ(difference);
  return { ...sums, records, differences, differenceCount, unknown, note };
}

/** @returns the number of values that conflict with values of earlier batches */
function addBatch(gpus: Map<string, FileGpu>, batch: RecordBatch): number {
  return recordsOf(batch).reduce((conflicts, [uuid, timeMs, record]) => {
    let gpu = gpus.get(uuid);
    if (gpu === undefined) gpus.set(uuid, (gpu = new Map<number, FileRecord>()));
    const earlier = gpu.get(timeMs);
    const merged = earlier === undefined ? { record, conflicts: 0 } : mergedRecord(earlier, record);
    gpu.set(timeMs, merged.record);
    return conflicts + merged.conflicts;
  }, 0);
}

function windowOf(uuid: string, gpu: FileGpu): Window {
  let startMs = Infinity;
  let endMs = -Infinity;
  for (const timeMs of gpu.keys()) {
    startMs = Math.min(startMs, timeMs);
    endMs = Math.max(endMs, timeMs);
  }
  return { uuid, startMs, endMs };
}

function compareGpu(gpu: FileGpu, stored: readonly ComparableRecord[], differ: (what: string) => void): void {
  const byTime = new Map(stored.map((record) => [record.timeMs, record]));
  for (const [timeMs, inFile] of gpu) {
    const record = byTime.get(timeMs);
    const at = formatTimestamp(timeMs);
    if (record === undefined) {
      differ(`the record at ${at} is in the file, but not in the store`);
      continue;
    }
    byTime.delete(timeMs);
    compareRecord(inFile, record, (what) => differ(`${at} ${what}`));
  }
  for (const timeMs of byTime.keys())
    differ(`the record at ${formatTimestamp(timeMs)} is in the store, but not in the file`);
}

function compareRecord(inFile: FileRecord, stored: ComparableRecord, differ: (what: string) => void): void {
  const { clusterId, hostname, gpuId, occupants } = inFile;
  if (stored.clusterId !== clusterId)
    differ(`the cluster is ${clusterId} in the file, ${stored.clusterId} in the store`);
  if (stored.hostname !== hostname) differ(`the host is ${hostname} in the file, ${stored.hostname} in the store`);
  if (stored.gpuId !== gpuId) differ(`gpu_id is ${gpuId} in the file, ${stored.gpuId} in the store`);
  if (!isSameOccupants(occupants, stored.occupants)) {
    const [file, store] = [occupants, stored.occupants].map((each) => JSON.stringify(each));
    differ(`the workloads are ${file} in the file, ${store} in the store`);
  }
  compareValues(valuesOf(inFile), stored.values, differ);
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
