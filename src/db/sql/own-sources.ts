import type { OwnRows } from "./own-rows.ts";
import { lastAtRefreshMs, type SourceDevicesTable } from "./upsert-source-devices.ts";

/** The devices of sources that a statement reads: all of them, or those by the CTEs of `ownSources`. */
export function sourceDevicesOf(own: OwnRows | undefined): string {
  return own === undefined ? "source_devices" : "own_source_devices";
}

/** As `sourceDevicesOf`, for the sources without a schedule. */
export function unscheduledDevicesOf(own: OwnRows | undefined): string {
  return own === undefined ? "unscheduled_devices" : "own_unscheduled_devices";
}

/** CTEs that follow `own_time`: `own_source_devices` and `own_unscheduled_devices(source_id, gpu_key, first_at, last_at, is_former)`, as if
 *  a source had reported a device only while it was within. The ledger does not say which records of a device came from which source. A
 *  source that reported it for the first and for the last time while it was not within counts only if no other source that reported it
 *  within can have sent those records. A device that went to another host and came back is so not expected of the other host's source.
 *  `is_former`: another one of these has reported the device more than 10 minutes later. */
export const ownSources = `${ownDevices("source_devices")},${ownDevices("unscheduled_devices")}`;

function ownDevices(table: SourceDevicesTable): string {
  // the last record can be later than `last_at` by this much
  const seenAt = `r.last_at + interval '${lastAtRefreshMs[table] / 1000} seconds'`;
  return `
own_${table} as materialized (
  select c.*, max(last_at) over (partition by gpu_key) > last_at + interval '10 minutes' as is_former
  from (
    select r.source_id, r.gpu_key, min(greatest(r.first_at, lower(span))) as first_at,
      max(greatest(lower(span), least(r.last_at, upper(span)))) as last_at
    from ${table} r join own_time o using (gpu_key) cross join lateral unnest(o.spans) as span
    where upper(span) > r.first_at and lower(span) <= ${seenAt}
      and (o.spans @> r.first_at or o.spans @> r.last_at or not exists (
        select from ${table} e where e.gpu_key = r.gpu_key and e.source_id <> r.source_id
          and (o.spans @> e.first_at or o.spans @> e.last_at) and e.first_at < upper(span) and e.last_at >= lower(span)))
    group by r.source_id, r.gpu_key) c)`;
}
