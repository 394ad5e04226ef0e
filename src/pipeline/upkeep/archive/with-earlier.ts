import { combined, completed, type Gpu, mergedOccupants } from "../../../domain/gpu.ts";
import { mergedValues } from "../../../domain/merged-values.ts";
import type { StoredRecord } from "../../../domain/query.ts";

/** Merges a record of the store with what a file of the archive has of the same device and instant, by the rules by which the store merges
 *  two records: the store may have deleted a part of the record that is in the file. Of two hosts, the record of the one whose name comes
 *  first is kept; otherwise the greater value of each series is, and the workloads of both.
 *  @returns the values of both; their GPU is as the store has it if the store still has everything that the file has */
export function withEarlier(stored: StoredRecord, earlier: StoredRecord): StoredRecord {
  if (stored.gpu.hostname !== earlier.gpu.hostname) {
    return stored.gpu.hostname < earlier.gpu.hostname ? stored : earlier;
  }
  const occupants = mergedOccupants(stored.occupants, earlier.occupants);
  const isWhole =
    occupants === stored.occupants && isIn(earlier.metrics, stored.metrics) && isIn(earlier.custom, stored.custom);
  const gpu = isWhole ? wholeGpu(stored.gpu, earlier.gpu) : combined(stored.gpu, earlier.gpu);
  if (isWhole) return gpu === stored.gpu ? stored : { ...stored, gpu };
  const { metrics, custom } = mergedValues(entriesOf(stored), entriesOf(earlier));
  return {
    gpu,
    timeMs: stored.timeMs,
    metrics: Object.fromEntries(metrics),
    custom: Object.fromEntries(custom),
    occupants,
  };
}

/** What the store says about the GPU, which earlier records that came later may have changed since; what it leaves open is as in the file.
 *  Only records of this instant change where the GPU is. */
function wholeGpu(stored: Gpu, earlier: Gpu): Gpu {
  const greatest = combined(stored, earlier);
  if (greatest === stored) return stored;
  const { clusterId, gpuId } = greatest;
  return { ...completed(stored, earlier), clusterId, gpuId };
}

type Values = StoredRecord["custom"];

function isIn(values: Values, into: Values): boolean {
  for (const name in values) {
    if (!Object.hasOwn(into, name) || !((into[name] as number) >= (values[name] as number))) return false;
  }
  return true;
}

function entriesOf({ metrics, custom }: StoredRecord) {
  return { metrics: Object.entries(metrics), custom: Object.entries(custom) };
}
