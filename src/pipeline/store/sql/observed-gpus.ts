import type { CurrentReport } from "../../../db/sql/current-gpus.ts";
import type { SeenGpu } from "../../../db/sql/insert-gpus.ts";
import { attributesIdOf } from "../../../domain/attributes-id.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import { type Gpu, isSameAttributes, isSameOccupants, noOccupants, type Occupants } from "../../../domain/gpu.ts";

/** A GPU that has records in one batch or several, with its attributes at its newest record. */
export interface ObservedGpu extends SeenGpu {
  /** Its attributes in the batches. */
  readonly reports: readonly BatchReport[];
  /** Its records' instants, sorted, milliseconds since the epoch. */
  readonly timesMs: readonly number[];
  /** Its workloads at these instants; "several" if its records do not all have the same ones. */
  readonly occupants: Occupants | "several";
}

/** A GPU that has records in a batch. */
export interface BatchGpu extends ObservedGpu {
  /** Its indexes in the batch's `gpus`, one for each of its `reports`. */
  readonly indexes: readonly number[];
}

/** The GPUs that have records in a batch. */
export function observedGpus(batch: RecordBatch): BatchGpu[] {
  const { numberOf, indexes } = numbered(batch.gpus);
  const seen = indexes.map((ofGpu) => new SeenRecords(ofGpu));
  batch.gpuIndexes.forEach((gpu, record) => {
    const occupants = batch.occupants[batch.occupantsIndexes[record] as number] ?? noOccupants;
    seen[numberOf[gpu] as number]?.add(gpu, batch.timesMs[record] as number, occupants);
  });
  return seen.flatMap((each) => each.observed(batch.gpus));
}

/** The GPUs of several batches, each once.
 *  @param batches the GPUs of each batch; the instants of one GPU in two batches do not overlap */
export function gpusOfAll(batches: readonly (readonly ObservedGpu[])[]): readonly ObservedGpu[] {
  const [first = []] = batches;
  if (batches.length < 2) return first;
  const byUuid = Map.groupBy(batches.flat(), ({ gpu }) => gpu.uuid);
  return Array.from(byUuid.values(), (ofGpu) => ofGpu.sort((a, b) => a.firstMs - b.firstMs).reduce(joined));
}

/** @param later the same GPU in another batch, whose instants are all later */
function joined(earlier: ObservedGpu, later: ObservedGpu): ObservedGpu {
  const { occupants } = later;
  const isSame =
    occupants !== "several" && earlier.occupants !== "several" && isSameOccupants(earlier.occupants, occupants);
  return {
    gpu: later.gpu,
    reports: [...earlier.reports, ...later.reports],
    firstMs: earlier.firstMs,
    lastMs: later.lastMs,
    timesMs: [...earlier.timesMs, ...later.timesMs],
    occupants: isSame ? occupants : "several",
  };
}

/** Attributes that a batch reports about a GPU. */
export class BatchReport {
  private comparedWith: CurrentReport | undefined;
  private id: number | undefined;

  constructor(readonly attributes: Gpu) {}

  /** The id of the attributes. Most batches report what the store has already, so `current` is tried before the id is computed.
   *  @param current what the GPU's newest records report */
  attributesId(current: CurrentReport | undefined): number {
    if (this.id !== undefined && this.comparedWith === current) return this.id;
    this.comparedWith = current;
    return (this.id =
      current !== undefined && isSameAttributes(this.attributes, current.attributes)
        ? current.attributesId
        : attributesIdOf(this.attributes));
  }
}

/** Numbers the uuids of a batch.
 *  @returns by index in `gpus`, the number of its uuid; by number, the indexes with this uuid */
function numbered(gpus: readonly Gpu[]): { readonly numberOf: readonly number[]; readonly indexes: number[][] } {
  const numbers = new Map<string, number>();
  const indexes: number[][] = [];
  const numberOf = gpus.map(({ uuid }, index) => {
    const known = numbers.get(uuid);
    if (known !== undefined) {
      indexes[known]?.push(index);
      return known;
    }
    numbers.set(uuid, indexes.length);
    return indexes.push([index]) - 1;
  });
  return { numberOf, indexes };
}

/** Collects the records of one GPU. */
class SeenRecords {
  private readonly timesMs: number[] = [];
  private occupants: Occupants | "several" | undefined;
  private newest = -1;
  private lastMs = -Infinity;
  private isSorted = true;

  constructor(private readonly indexes: readonly number[]) {}

  add(gpu: number, timeMs: number, occupants: Occupants): void {
    this.timesMs.push(timeMs);
    if (timeMs > this.lastMs) {
      this.lastMs = timeMs;
      this.newest = gpu;
    } else this.isSorted = false;
    if (this.occupants === undefined) this.occupants = occupants;
    else if (this.occupants !== "several" && !isSameOccupants(this.occupants, occupants)) this.occupants = "several";
  }

  /** @returns an empty list if there are no records */
  observed(gpus: readonly Gpu[]): BatchGpu[] {
    const { indexes, occupants, lastMs } = this;
    const { timesMs } = this;
    if (!this.isSorted) timesMs.sort((a, b) => a - b);
    const [gpu, firstMs] = [gpus[this.newest], timesMs[0]];
    if (gpu === undefined || firstMs === undefined || occupants === undefined) return [];
    const reports = indexes.map((index) => new BatchReport(gpus[index] as Gpu));
    return [{ gpu, indexes, reports, firstMs, lastMs, timesMs, occupants }];
  }
}
