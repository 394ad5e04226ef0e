import type { SqlTransaction } from "../../../db/client.ts";
import { insertGpus } from "../../../db/sql/insert-gpus.ts";
import { insertSeriesEnds } from "../../../db/sql/insert-series-ends.ts";
import { insertReported } from "../../../db/sql/reported-attributes.ts";
import type { Gpu } from "../../../domain/gpu.ts";
import type { KeyedBatch } from "./batch-parts.ts";
import { type GpuDirectory, GpuLookup } from "./gpu-directory.ts";
import type { GpuKeys } from "./gpu-keys.ts";
import type { Ingesting } from "./ingest-groups.ts";
import { gpusOfAll, type ObservedGpu } from "./observed-gpus.ts";

/** Messages that are stored in one transaction, with their GPUs. */
export class MessageGroup {
  /** The GPUs of all messages, each once. */
  readonly gpus: readonly ObservedGpu[];
  /** A look-up of the same GPUs, in the same order. */
  readonly lookup: GpuLookup;

  constructor(
    readonly messages: readonly Ingesting[],
    private readonly directory: GpuDirectory,
  ) {
    this.gpus = gpusOfAll(messages.map(({ gpus }) => gpus));
    this.lookup = new GpuLookup(
      directory,
      this.gpus.map(({ gpu }) => gpu.uuid),
    );
  }

  /** The batches of some messages, with the store's numbers for their GPUs; NaN for a GPU without records, which needs none. */
  keyed(indexes: readonly number[], gpuKeys: GpuKeys): StoredBatch[] {
    return indexes.map((index) => {
      const message = this.messages[index] as Ingesting;
      const keys = new Float64Array(message.batch.gpus.length).fill(NaN);
      const attributesIds = new Float64Array(message.batch.gpus.length).fill(NaN);
      for (const { gpu, indexes: places, reports } of message.gpus) {
        const key = gpuKeys.of(gpu.uuid);
        const current = this.directory.get(gpu.uuid);
        places.forEach((place, at) => {
          keys[place] = key;
          attributesIds[place] = reports[at]?.attributesId(current?.report) ?? NaN;
        });
      }
      return { message, batch: message.batch, keys, attributesIds };
    });
  }

  /** The attributes that the batches report, and that are not those of their GPUs' newest records. */
  changedReports(batches: readonly StoredBatch[]) {
    return batches.flatMap(({ message, keys, attributesIds }) =>
      message.gpus.flatMap(({ gpu, indexes, reports }) => {
        const current = this.directory.get(gpu.uuid)?.report?.attributesId;
        return indexes.flatMap((index, place) => {
          const attributesId = attributesIds[index] as number;
          if (attributesId === current) return [];
          return [{ gpuKey: keys[index] as number, attributesId, attributes: reports[place]?.attributes as Gpu }];
        });
      }),
    );
  }
}

/** A batch that is stored. */
interface StoredBatch extends KeyedBatch {
  readonly message: Ingesting;
}

/** Adds the messages' GPUs, reports and ends of series that the database may not have. */
export async function addMissing(
  transaction: SqlTransaction,
  group: MessageGroup,
  batches: readonly StoredBatch[],
): Promise<void> {
  const current = group.lookup.gpus();
  const reported = group.changedReports(batches);
  const missing = group.gpus.filter((_, at) => current[at] === undefined);
  if (missing.length > 0) await insertGpus(transaction, missing);
  insertReported(transaction, reported);
  insertSeriesEnds(
    transaction,
    batches.flatMap(({ batch }) => batch.ends ?? []),
  );
}
