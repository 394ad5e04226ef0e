import { StoreRejected } from "../../domain/errors.ts";
import type { Gpu } from "../../domain/gpu.ts";
import { gpuKeyOf } from "../../domain/gpu-key.ts";
import type { SqlTransaction } from "../client.ts";
import { attributeColumns } from "../gpu-columns.ts";
import { numberArray, textArray } from "./array-literal.ts";

/** A GPU, with the instants of its first and last record in a batch, milliseconds since the epoch. */
export interface SeenGpu {
  readonly gpu: Gpu;
  readonly firstMs: number;
  readonly lastMs: number;
}

const insertText = `
insert into gpus (gpu_key, uuid, ${attributeColumns.names()}, first_seen_at, last_seen_at)
select gpu_key, uuid, ${attributeColumns.unnested("s")}, to_timestamp(first_ms / 1000.0), to_timestamp(last_ms / 1000.0)
from unnest($1::text::int8[], $2::text::text[], $3::text::float8[], $4::text::float8[], ${attributeColumns.parameters(5)})
  as s(gpu_key, uuid, first_ms, last_ms, ${attributeColumns.names()})
order by gpu_key
on conflict do nothing`;

// a statement of its own, because the snapshot of the insert does not show rows that another transaction has just committed
const othersText = `
select s.uuid, gpus.uuid as other
from unnest($1::text::int8[], $2::text::text[]) as s(gpu_key, uuid) left join gpus using (gpu_key)
where gpus.uuid is distinct from s.uuid limit 1`;

/** Adds the GPUs that do not exist yet.
 *  @throws StoreRejected if another GPU already has the key of one of them: their records could not be told apart */
export async function insertGpus(transaction: SqlTransaction, gpus: readonly SeenGpu[]): Promise<void> {
  const keys = numberArray(gpus.map(({ gpu }) => gpuKeyOf(gpu.uuid)));
  const uuids = textArray(gpus.map(({ gpu }) => gpu.uuid));
  transaction.send(insertText, [
    keys,
    uuids,
    numberArray(gpus.map(({ firstMs }) => firstMs)),
    numberArray(gpus.map(({ lastMs }) => lastMs)),
    ...attributeColumns.arrays(gpus.map(({ gpu }) => gpu)),
  ]);
  const [found] = await transaction.query<{ uuid: string; other: string | null }>(othersText, [keys, uuids]);
  if (found === undefined) return;
  const { uuid, other } = found;
  const key = gpuKeyOf(uuid);
  throw new StoreRejected(
    other === null
      ? `the store has GPU ${uuid} under another key than ${key}, which follows from its uuid: the table gpus was changed by hand`
      : `the GPUs ${uuid} and ${other} have the same key ${key}, so their records could not be told apart: rename one of them`,
  );
}
