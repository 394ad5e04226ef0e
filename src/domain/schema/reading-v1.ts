import { UndecodablePayload } from "../errors.ts";
import type { SourceReading } from "../reading.ts";
import type { PayloadV1 } from "./payload-v1.ts";

type ReadingV1 = NonNullable<PayloadV1["reading"]>;

/** Encodes the reading of a batch: its frozen devices as their places in the payload's `gpus`. Those of other parts of the reading are
 *  left out, because each part names its own. */
export function toReadingV1({ frozenDevices, ...reading }: SourceReading, gpus: PayloadV1["gpus"]): ReadingV1 {
  if (frozenDevices === undefined) return reading;
  const frozen = new Set(frozenDevices);
  const indexes = gpus.flatMap(({ uuid }, index) => (frozen.has(uuid) ? [index] : []));
  const isAll = indexes.length > 0 && indexes.length === gpus.length;
  return { ...reading, frozenDevices: isAll ? "all" : indexes };
}

/** Decodes the reading of a batch.
 *  @throws UndecodablePayload if the payload has no GPU with the index of a frozen device */
export function fromReadingV1({ frozenDevices, ...reading }: ReadingV1, gpus: PayloadV1["gpus"]): SourceReading {
  if (frozenDevices === undefined) return reading;
  const indexes = frozenDevices === "all" ? gpus.keys() : frozenDevices;
  return { ...reading, frozenDevices: Array.from(indexes, (index) => uuidAt(index, gpus)) };
}

function uuidAt(index: number, gpus: PayloadV1["gpus"]): string {
  const gpu = gpus[index];
  if (gpu !== undefined) return gpu.uuid;
  throw new UndecodablePayload(
    `payload of schema v1 contradicts itself: the GPU at index ${index} is frozen, but the number of GPUs is ${gpus.length}`,
  );
}
