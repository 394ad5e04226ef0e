import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import type { DeviceKinds } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { OwnRows, ownTime } from "./own-rows.ts";

const text = `
select exists (select from gpus where uuid like '%:mig:%') as "hasMigInstances",
  exists (select from gpu_workloads where jsonb_array_length(occupants) > 1) as "hasSharedDevices"`;

/** The kinds of devices that the store has records of.
 *  @param within only what was within counts; undefined: everything */
export async function selectDeviceKinds(executor: SqlExecutor, within: GpuBounds | undefined): Promise<DeviceKinds> {
  const [kinds] = await (within === undefined ? executor.query<DeviceKinds>(text) : ownKinds(executor, within));
  return kinds ?? { hasMigInstances: false, hasSharedDevices: false };
}

function ownKinds(executor: SqlExecutor, within: GpuBounds): Promise<DeviceKinds[]> {
  const conditions = new Conditions();
  const own = new OwnRows(within, conditions);
  const several = own.restrictsNamespaces
    ? `(select count(*) from (${own.ownIn("w.occupants")}) own_o) > 1`
    : "jsonb_array_length(w.occupants) > 1";
  const ownText = `
with ${ownTime(own)}
select exists (select from gpus join own_time using (gpu_key) where uuid like '%:mig:%') as "hasMigInstances",
  exists (
    select from own_time o join (
      select *, lead(valid_from, 1, 'infinity') over (partition by gpu_key order by valid_from) as to_at from gpu_workloads) w using (gpu_key)
    where o.spans && tstzrange(w.valid_from, w.to_at) and ${several}) as "hasSharedDevices"`;
  return executor.query<DeviceKinds>(ownText, conditions.params);
}
