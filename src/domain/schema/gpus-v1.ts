import type { RecordBatch } from "../batch.ts";
import type { Gpu } from "../gpu.ts";
import { withUsedDictionaries } from "../used-dictionaries.ts";
import type { PayloadV1 } from "./payload-v1.ts";

/** The GPUs of a payload: each uuid once, with its attributes at its newest record; other attributes are in `variants`. Readers
 *  that know only one set of attributes for each GPU find the newest one. */
export interface GpuColumns extends Pick<PayloadV1, "gpus" | "variants" | "variantIndexes"> {
  /** Per record: index into `gpus`. */
  readonly gpuIndexes: Uint32Array;
}

/** Encodes the GPUs of a batch's records. */
export function toGpuColumns(batch: RecordBatch): GpuColumns {
  const gpus = batch.gpus as PayloadV1["gpus"];
  const { gpuIndexes } = batch;
  if (new Set(gpus.map(({ uuid }) => uuid)).size === gpus.length) return { gpus, gpuIndexes };
  const newest = newestIndexes(batch);
  const variants: PayloadV1["gpus"] = [];
  const uuids = [...newest.keys()];
  const placeOf = new Map(uuids.map((uuid, place) => [uuid, place]));
  const columns = gpus.map((gpu, index) => ({
    place: placeOf.get(gpu.uuid) as number,
    variant: newest.get(gpu.uuid) === index ? 0 : variants.push(gpu),
  }));
  return {
    gpus: [...newest.values()].map((index) => gpus[index] as PayloadV1["gpus"][number]),
    gpuIndexes: gpuIndexes.map((index) => columns[index]?.place as number),
    variants,
    variantIndexes: Array.from(gpuIndexes, (index) => columns[index]?.variant as number),
  };
}

/** Decodes the GPUs of a batch. An index beyond the end of `gpus` or `variants`, or of a variant that is of another GPU, gives
 *  `notFound`. */
export function withGpuColumns(batch: RecordBatch, { variants = [], variantIndexes }: GpuColumns): RecordBatch {
  if (variantIndexes === undefined) return batch;
  const { gpus, gpuIndexes } = batch;
  const all: readonly Gpu[] = [...gpus, ...variants];
  const indexes = gpuIndexes.map((index, record) => {
    const variant = variantIndexes[record] ?? 0;
    const found = variant === 0 ? index : gpus.length + variant - 1;
    // `index` alone could be one of a variant
    return index < gpus.length && all[found]?.uuid === gpus[index]?.uuid ? found : notFound;
  });
  if (indexes.some((index) => index >= all.length)) return { ...batch, gpus: all, gpuIndexes: indexes };
  return withUsedDictionaries({ ...batch, gpus: all, gpuIndexes: indexes });
}

const notFound = 0xffff_ffff;

/** For each uuid, the index of the GPU that its newest record has; without records, its last one. */
function newestIndexes({ gpus, gpuIndexes, timesMs }: RecordBatch): Map<string, number> {
  const newest = new Map(gpus.map(({ uuid }, index) => [uuid, { index, timeMs: -Infinity }]));
  gpuIndexes.forEach((index, record) => {
    const timeMs = timesMs[record] as number;
    const existing = newest.get(gpus[index]?.uuid ?? "");
    if (existing === undefined || timeMs <= existing.timeMs) return;
    existing.index = index;
    existing.timeMs = timeMs;
  });
  return new Map(Array.from(newest, ([uuid, { index }]) => [uuid, index]));
}
