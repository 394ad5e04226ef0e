import { customByRecord, type RecordBatch } from "../../src/domain/batch.ts";
import { foldedSeries } from "../../src/domain/fold.ts";
import { type Gpu, mergedOccupants, noOccupants, type Occupants } from "../../src/domain/gpu.ts";

/** A record of a file, or the part of it that one batch has. */
export interface FileRecord {
  readonly clusterId: string;
  readonly hostname: string;
  readonly gpuId: number;
  readonly occupants: Occupants;
  /** Values of the catalogue's metrics. */
  readonly metrics: ReadonlyMap<string, number>;
  /** Values of series, and of metrics outside the catalogue. */
  readonly custom: ReadonlyMap<string, number>;
}

/** The records of a batch, each with its UUID and its instant in milliseconds. */
export function recordsOf(batch: RecordBatch): [uuid: string, timeMs: number, record: FileRecord][] {
  const custom = customByRecord(batch);
  return Array.from({ length: batch.recordCount }, (_, index) => {
    const { uuid, clusterId, hostname, gpuId } = batch.gpus[batch.gpuIndexes[index] as number] as Gpu;
    const metrics = new Map<string, number>();
    for (const [metric, column] of batch.columns) {
      const value = column[index] as number;
      if (!Number.isNaN(value)) metrics.set(metric, value);
    }
    const occupants = batch.occupants[batch.occupantsIndexes[index] as number] ?? noOccupants;
    const values = new Map(Object.entries(custom.get(index) ?? {}));
    return [uuid, batch.timesMs[index] as number, { clusterId, hostname, gpuId, occupants, metrics, custom: values }];
  });
}

/** Merges two parts of a record: of two values, the greater one counts. Of two hosts that report one UUID, only the record of the
 *  smaller name counts. */
export function mergedRecord(
  a: FileRecord,
  b: FileRecord,
): { readonly record: FileRecord; readonly conflicts: number } {
  if (a.hostname !== b.hostname) return { record: a.hostname < b.hostname ? a : b, conflicts: 0 };
  // parts of a fold may differ without a conflict
  const folded = new Set([...foldsOf(a).keys(), ...foldsOf(b).keys()]);
  const metrics = greatest(a.metrics, b.metrics);
  const custom = greatest(a.custom, b.custom);
  const record = {
    ...a,
    clusterId: a.clusterId > b.clusterId ? a.clusterId : b.clusterId,
    metrics: metrics.values,
    custom: custom.values,
    occupants: mergedOccupants(a.occupants, b.occupants),
  };
  return {
    record,
    conflicts: metrics.different.filter((name) => !folded.has(name)).length + custom.different.length,
  };
}

/** All values of a record by metric or series. The value of a metric is the greater of its own and the fold of its series. */
export function valuesOf(record: FileRecord): ReadonlyMap<string, number> {
  const metrics = greatest(record.metrics, foldsOf(record)).values;
  return new Map([...metrics, ...record.custom]);
}

interface Greatest {
  readonly values: ReadonlyMap<string, number>;
  /** The names whose values differ. */
  readonly different: readonly string[];
}

function greatest(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Greatest {
  const values = new Map(a);
  const different: string[] = [];
  for (const [name, value] of b) {
    const existing = values.get(name);
    if (existing !== undefined && existing !== value) different.push(name);
    if (existing === undefined || value > existing) values.set(name, value);
  }
  return { values, different };
}

function foldsOf({ custom }: FileRecord): ReadonlyMap<string, number> {
  return foldedSeries(Object.fromEntries(custom));
}
