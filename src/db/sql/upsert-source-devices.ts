import type { SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";

/** A device, with the instants of its first and last record in a batch, milliseconds since the epoch. */
export interface ReportedDevice {
  readonly gpuKey: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Sources with a schedule, and the others. */
export type SourceDevicesTable = "source_devices" | "unscheduled_devices";

/** Until a device's last instant in the table is this old, it is not updated: the steady state of a live source writes nothing. Of a source
 *  without a schedule, such as a file, what is expected of a device that is missing from its end is this exact. */
export const lastAtRefreshMs: Readonly<Record<SourceDevicesTable, number>> = {
  source_devices: 300_000,
  unscheduled_devices: 60_000,
};

const textOf = (table: SourceDevicesTable): string => `
insert into ${table} (source_id, gpu_key, first_at, last_at)
select $1, gpu_key, to_timestamp(first_ms / 1000.0), to_timestamp(last_ms / 1000.0)
from unnest($2::text::int8[], $3::text::float8[], $4::text::float8[]) as d(gpu_key, first_ms, last_ms)
order by gpu_key
on conflict (gpu_key, source_id) do update set
  first_at = least(${table}.first_at, excluded.first_at), last_at = greatest(${table}.last_at, excluded.last_at)`;

/** Notes which devices a source reports, and when. */
export function upsertSourceDevices(
  transaction: SqlTransaction,
  { sourceId, table }: { readonly sourceId: string; readonly table: SourceDevicesTable },
  devices: readonly ReportedDevice[],
): void {
  if (devices.length === 0) return;
  transaction.send(textOf(table), [
    sourceId,
    numberArray(devices.map(({ gpuKey }) => gpuKey)),
    numberArray(devices.map(({ firstMs }) => firstMs)),
    numberArray(devices.map(({ lastMs }) => lastMs)),
  ]);
}
