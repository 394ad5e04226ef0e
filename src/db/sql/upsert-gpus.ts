import type { Gpu } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

/** A GPU and the span of its records in a batch, milliseconds since the epoch. */
export interface SeenGpu {
  readonly gpu: Gpu;
  readonly firstMs: number;
  readonly lastMs: number;
}

const seen = `
with seen as (
  select uuid, cluster_id, hostname, gpu_id, device, model_name, driver_version, properties::jsonb as properties,
    to_timestamp(first_ms / 1000.0) as first_at, to_timestamp(last_ms / 1000.0) as last_at
  from unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::int[], $5::text::text[], $6::text::text[],
    $7::text::text[], $8::text::text[], $9::text::float8[], $10::text::float8[])
    as s(uuid, cluster_id, hostname, gpu_id, device, model_name, driver_version, properties, first_ms, last_ms)
)`;

// `not exists` before `on conflict`: a conflict alone would use up a key for every GPU of every batch.
const insertText = `${seen}
insert into gpus (uuid, cluster_id, hostname, gpu_id, device, model_name, driver_version, properties,
  first_seen_at, last_seen_at)
select uuid, cluster_id, hostname, gpu_id, device, model_name, driver_version, properties, first_at, last_at
from seen where not exists (select from gpus where gpus.uuid = seen.uuid)
order by uuid
on conflict (uuid) do nothing`;

// Attributes follow the newest records only: late data never turns them back. An attribute that the newest input does
// not name (empty) is kept. Rows are locked in the order of their keys, so that two collectors never wait in a ring.
const updateText = `${seen},
locked as (
  select gpu_key, seen.* from gpus join seen using (uuid)
  where seen.first_at < gpus.first_seen_at or seen.last_at >= gpus.last_seen_at
  order by gpu_key for update of gpus
)
update gpus set
  first_seen_at = least(gpus.first_seen_at, s.first_at),
  last_seen_at = greatest(gpus.last_seen_at, s.last_at),
  cluster_id = case when s.last_at >= gpus.last_seen_at then s.cluster_id else gpus.cluster_id end,
  hostname = case when s.last_at >= gpus.last_seen_at then s.hostname else gpus.hostname end,
  gpu_id = case when s.last_at >= gpus.last_seen_at then s.gpu_id else gpus.gpu_id end,
  device = case when s.last_at >= gpus.last_seen_at and s.device <> '' then s.device else gpus.device end,
  model_name = case when s.last_at >= gpus.last_seen_at and s.model_name <> '' then s.model_name else gpus.model_name end,
  driver_version = case when s.last_at >= gpus.last_seen_at and s.driver_version <> '' then s.driver_version
    else gpus.driver_version end,
  properties = case when s.last_at >= gpus.last_seen_at then gpus.properties || s.properties
    else s.properties || gpus.properties end
from locked s where gpus.gpu_key = s.gpu_key`;

/** Adds GPUs that are new, and brings the others up to date. @returns uuid -> gpu_key, for every one given */
export async function upsertGpus(executor: SqlExecutor, gpus: readonly SeenGpu[]): Promise<Map<string, number>> {
  const texts = (pick: (gpu: Gpu) => string): string => textArray(gpus.map(({ gpu }) => pick(gpu)));
  const uuids = texts((gpu) => gpu.uuid);
  const params = [
    uuids,
    texts((gpu) => gpu.clusterId),
    texts((gpu) => gpu.hostname),
    numberArray(gpus.map(({ gpu }) => gpu.gpuId)),
    texts((gpu) => gpu.device),
    texts((gpu) => gpu.modelName),
    texts((gpu) => gpu.driverVersion),
    texts((gpu) => JSON.stringify(gpu.properties)),
    numberArray(gpus.map(({ firstMs }) => firstMs)),
    numberArray(gpus.map(({ lastMs }) => lastMs)),
  ];
  await executor.query(insertText, params);
  await executor.query(updateText, params);
  const keys = await executor.query<{ uuid: string; gpu_key: number }>(
    // joined: five times as fast as `= any` with 5,000 uuids
    "select uuid, gpu_key from gpus join unnest($1::text::text[]) as s(uuid) using (uuid)",
    [uuids],
  );
  return new Map(keys.map(({ uuid, gpu_key }) => [uuid, gpu_key]));
}
