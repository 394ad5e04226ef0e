import { customByRecord, type RecordBatch } from "../../domain/batch.ts";
import { type Gpu, noOccupants } from "../../domain/gpu.ts";
import type { ContestedGpu } from "../../domain/query.ts";
import { metrics } from "../../domain/metrics.ts";
import { defined } from "../../kit/defined.ts";
import { mergeStates } from "./merge-state.ts";
import type { CoalescedRecords, GpuState, NewestRecord, ReportedGpu } from "./hot-tier.ts";
import { sortedByKey } from "./sorted-by-key.ts";

/** A GPU's newest record in a batch, and the GPU's state in the batch. */
export interface GpuUpdate {
  readonly state: GpuState;
  readonly record: NewestRecord;
}

/** The records with one set of attributes of a GPU. */
interface AttributesSeen {
  readonly gpu: Gpu;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly records: number;
}

const none = -1;

/** The updates that a batch leads to.
 *  @param contested replace what the batch says about these GPUs
 *  @param traceparent the span of the write, if its trace is recorded */
export function updatesOf(
  batch: RecordBatch,
  contested: readonly ContestedGpu[],
  traceparent: string | undefined,
): GpuUpdate[] {
  const updates = settledUpdates(newestOfBatch(batch), contested);
  if (traceparent === undefined) return updates;
  return updates.map(({ state, record }) => ({ state, record: { ...record, traceparent } }));
}

function settledUpdates(updates: GpuUpdate[], contested: readonly ContestedGpu[]): GpuUpdate[] {
  if (contested.length === 0) return updates;
  const byUuid = new Map(contested.map((each) => [each.gpu.uuid, each]));
  return updates.flatMap((update) => {
    const found = byUuid.get(update.record.uuid);
    return found === undefined ? [update] : contestedUpdate(found, update.record);
  });
}

/** @returns no update if retention has deleted the GPU's records */
function contestedUpdate({ gpu: stored, record }: ContestedGpu, { coalesced }: NewestRecord): GpuUpdate[] {
  if (record === undefined) return [];
  const { firstSeenAtMs, lastSeenAtMs, contestedVersion, ...gpu } = stored;
  const { timeMs, metrics: values, custom, occupants } = record;
  return [
    {
      state: { gpu, asOfMs: lastSeenAtMs, firstSeenAtMs, openSinceMs: nothingOpen, contestedVersion },
      record: {
        ...{ uuid: gpu.uuid, reported: reportedBy(record.gpu), timeMs },
        ...{ metrics: values, custom, occupants, contestedVersion, ...defined({ coalesced }) },
      },
    },
  ];
}

/** @returns one update for each GPU that has a record in the batch: the same as if each record had come in a batch of its own */
export function newestOfBatch(batch: RecordBatch): GpuUpdate[] {
  const columns = metrics.flatMap(({ name }) => {
    const column = batch.columns.get(name);
    return column === undefined ? [] : [[name, column] as const];
  });
  const custom = customByRecord(batch);
  return newestRows(batch).map(({ row, seen }) => {
    const gpu = batch.gpus[batch.gpuIndexes[row] as number] as Gpu;
    const timeMs = batch.timesMs[row] as number;
    const record: NewestRecord = {
      uuid: gpu.uuid,
      reported: reportedBy(gpu),
      timeMs,
      metrics: valuesOf(columns, row),
      custom: sortedByKey(custom.get(row) ?? {}),
      occupants: batch.occupants[batch.occupantsIndexes[row] as number] ?? noOccupants,
      ...defined({ coalesced: coalescedBy(timeMs, seen) }),
    };
    return { state: stateOf(seen), record };
  });
}

function coalescedBy(timeMs: number, seen: readonly AttributesSeen[]): CoalescedRecords | undefined {
  const sinceMs = Math.min(...seen.map(({ firstMs }) => firstMs));
  if (sinceMs >= timeMs) return undefined;
  return { sinceMs, records: seen.reduce((sum, { records }) => sum + records, -1) };
}

function reportedBy({ clusterId, hostname, gpuId, device, modelName }: Gpu): ReportedGpu {
  return { clusterId, hostname, gpuId, device, modelName };
}

/** For each GPU with records, the newest record that has values (the newest of all if none has) and the attributes. */
function newestRows(batch: RecordBatch): { readonly row: number; readonly seen: readonly AttributesSeen[] }[] {
  const { gpus, gpuIndexes, timesMs } = batch;
  const newestRow = new Int32Array(gpus.length).fill(none);
  const firstMs = new Float64Array(gpus.length).fill(Infinity);
  const lastMs = new Float64Array(gpus.length).fill(-Infinity);
  const counts = new Uint32Array(gpus.length);
  const isEmpty = emptyRecords(batch);
  for (let row = 0; row < batch.recordCount; row += 1) {
    const gpu = gpuIndexes[row] as number;
    const timeMs = timesMs[row] as number;
    counts[gpu] = (counts[gpu] as number) + 1;
    firstMs[gpu] = Math.min(firstMs[gpu] as number, timeMs);
    lastMs[gpu] = Math.max(lastMs[gpu] as number, timeMs);
    const newest = newestRow[gpu] as number;
    if (newest === none || isPreferred(row, newest)) newestRow[gpu] = row;
  }
  const byUuid = new Map<string, { row: number; readonly seen: AttributesSeen[] }>();
  gpus.forEach((gpu, index) => {
    const row = newestRow[index] as number;
    if (row === none) return;
    const instants = { firstMs: firstMs[index] as number, lastMs: lastMs[index] as number };
    const seen = { gpu, ...instants, records: counts[index] as number };
    const other = byUuid.get(gpu.uuid);
    if (other === undefined) byUuid.set(gpu.uuid, { row, seen: [seen] });
    else {
      other.seen.push(seen);
      if (isPreferred(row, other.row)) other.row = row;
    }
  });
  return [...byUuid.values()];

  function isPreferred(row: number, other: number): boolean {
    if (isEmpty.has(row) !== isEmpty.has(other)) return isEmpty.has(other);
    return (timesMs[row] as number) > (timesMs[other] as number);
  }
}

/** The records without values: they only describe their GPU. */
function emptyRecords({ recordCount, columns, custom }: RecordBatch): Set<number> {
  const hasValues = new Uint8Array(recordCount);
  for (const column of columns.values()) {
    // NaN, which is unequal to itself, means that the record has no value
    for (let row = 0; row < recordCount; row += 1) if (column[row] === column[row]) hasValues[row] = 1;
  }
  for (const { record } of custom) hasValues[record] = 1;
  const empty = new Set<number>();
  for (let row = 0; row < recordCount; row += 1) if (hasValues[row] === 0) empty.add(row);
  return empty;
}

function stateOf(seen: readonly AttributesSeen[]): GpuState {
  const states = seen.map(({ gpu, firstMs, lastMs }) => {
    return { gpu, asOfMs: lastMs, firstSeenAtMs: firstMs, openSinceMs: nothingOpen };
  });
  const [first, ...others] = states as [GpuState, ...GpuState[]];
  return others.reduce((merged, state) => mergeStates(merged, state), first);
}

const nothingOpen: GpuState["openSinceMs"] = new Map();

function valuesOf(columns: readonly (readonly [string, Float64Array])[], row: number): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, column] of columns) {
    const value = column[row] as number;
    if (value === value) values[name] = value; // not NaN
  }
  return values;
}
