import type { DeviceKinds } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";

const text = `
select exists (select from gpus where uuid like '%:mig:%') as "hasMigInstances",
  exists (select from gpu_workloads where jsonb_array_length(occupants) > 1) as "hasSharedDevices"`;

/** The kinds of devices that the store has records of. */
export async function selectDeviceKinds(executor: SqlExecutor): Promise<DeviceKinds> {
  const [kinds] = await executor.query<DeviceKinds>(text);
  return kinds ?? { hasMigInstances: false, hasSharedDevices: false };
}
