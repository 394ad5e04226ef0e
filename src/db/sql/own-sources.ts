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

const tables: readonly SourceDevicesTable[] = ["source_devices", "unscheduled_devices"];

/** The last record that a source has sent of a device can be so much later than `last_at`. */
const seenAt = (table: SourceDevicesTable, alias: string): string =>
  `${alias}.last_at + interval '${lastAtRefreshMs[table] / 1000} seconds'`;

/** A condition: a source is known to have reported the device while it was within. */
const isKnownWithin = (alias: string): string => `o.spans @> ${alias}.first_at or o.spans @> ${alias}.last_at`;

/** CTEs that follow `own_time`: `own_source_devices` and `own_unscheduled_devices(source_id, gpu_key, first_at, last_at, is_former)`, as if
 *  a source had reported a device only while it was within. The ledger does not say which records of a device came from which source. A
 *  source that reported it for the first and for the last time while it was not within counts only if no other source can have sent the
 *  records of that time: a device that went to another host and came back is not expected of the other host's source. If several such
 *  sources can have sent them, none counts, and what is due of the device is learned from its records.
 *  `is_former`: another one of these has reported the device more than 10 minutes later. */
export const ownSources = tables.map(ownDevices).join(",");

function ownDevices(table: SourceDevicesTable): string {
  return `
own_${table} as materialized (
  select c.*, max(last_at) over (partition by gpu_key) > last_at + interval '10 minutes' as is_former
  from (
    select r.source_id, r.gpu_key, min(greatest(r.first_at, lower(span))) as first_at,
      max(greatest(lower(span), least(r.last_at, upper(span)))) as last_at
    from ${table} r join own_time o using (gpu_key) cross join lateral unnest(o.spans) as span
    where upper(span) > r.first_at and lower(span) <= ${seenAt(table, "r")}
      and (${isKnownWithin("r")} or not (${tables.map((other) => hasOther(other, table)).join(" or ")}))
    group by r.source_id, r.gpu_key) c)`;
}

/** A condition: a source of the table `other` can have sent the records of the span. One without a schedule, such as an imported file of
 *  others, does not count against one with a schedule unless it is known to have reported the device within, and vice versa. */
function hasOther(other: SourceDevicesTable, table: SourceDevicesTable): string {
  const isCandidate = other === table ? "true" : `(${isKnownWithin("e")})`;
  return `exists (
        select from ${other} e where e.gpu_key = r.gpu_key and e.source_id <> r.source_id and ${isCandidate}
          and e.first_at < upper(span) and ${seenAt(other, "e")} >= lower(span))`;
}
