import type { Gpu } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import { attributeColumns } from "../gpu-columns.ts";
import { numberArray, textArray } from "./array-literal.ts";

/** A GPU, with the instants of its first and last record in a batch, milliseconds since the epoch. */
export interface SeenGpu {
  readonly gpu: Gpu;
  readonly firstMs: number;
  readonly lastMs: number;
}

// `not exists` comes in addition to `on conflict`, because every conflict uses up a key
const insertText = `
with seen as (
  select uuid, ${attributeColumns.unnested("s")},
    to_timestamp(first_ms / 1000.0) as first_at, to_timestamp(last_ms / 1000.0) as last_at
  from unnest($1::text::text[], $2::text::float8[], $3::text::float8[], ${attributeColumns.parameters(4)})
    as s(uuid, first_ms, last_ms, ${attributeColumns.names()})
)
insert into gpus (uuid, ${attributeColumns.names()}, first_seen_at, last_seen_at)
select uuid, ${attributeColumns.names()}, first_at, last_at
from seen where not exists (select from gpus where gpus.uuid = seen.uuid)
order by uuid
on conflict (uuid) do nothing`;

// a join: five times as fast as `= any` with 5,000 uuids
const keysText = "select uuid, gpu_key from gpus join unnest($1::text::text[]) as s(uuid) using (uuid)";

/** Adds the GPUs that do not exist yet. @returns uuid -> gpu_key, for all given GPUs */
export async function insertGpus(executor: SqlExecutor, gpus: readonly SeenGpu[]): Promise<Map<string, number>> {
  const uuids = textArray(gpus.map(({ gpu }) => gpu.uuid));
  await executor.query(insertText, [
    uuids,
    numberArray(gpus.map(({ firstMs }) => firstMs)),
    numberArray(gpus.map(({ lastMs }) => lastMs)),
    ...attributeColumns.arrays(gpus.map(({ gpu }) => gpu)),
  ]);
  const keys = await executor.query<{ uuid: string; gpu_key: number }>(keysText, [uuids]);
  return new Map(keys.map(({ uuid, gpu_key }) => [uuid, gpu_key]));
}
