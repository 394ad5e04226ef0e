import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { deleteGpuHours } from "./delete-gpu-hours.ts";
import { bucketOf } from "./rollup-source.ts";

/** The key of the lock for retention: an arbitrary number, the same for every process of this program. */
const retentionLock = 7_165_201_386;

/** Tries to lock retention until the end of the transaction. @returns false if another transaction has the lock */
export async function tryRetentionLock(executor: SqlExecutor): Promise<boolean> {
  const text = `select pg_try_advisory_xact_lock(${retentionLock}) as locked`;
  return (await executor.query<{ locked: boolean }>(text))[0]?.locked === true;
}

/** Which rows are deleted: those that a query for their `ctid`s finds, with the parameters `$1` (days) and `$2` (the maximum number of
 *  rows). */
interface Choice {
  readonly table: string;
  readonly places: string;
  /** What must also hold of a row that another transaction changes meanwhile. */
  readonly still?: string;
}

/** Deletes rows by their places: by their keys, each is looked for in all others if the table has no statistics, as in the embedded
 *  database. Not for a hypertable, whose chunks number their places from the beginning. @returns the number of deleted rows */
async function deletePlaces(
  executor: SqlExecutor,
  { table, places, still = "true" }: Choice,
  params: readonly unknown[],
): Promise<number> {
  const text = `
with deleted as (
  delete from ${table} where ctid = any(array(${places} limit $2::int)) and ${still} returning 1)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, params))[0]?.deleted ?? 0;
}

const firstInstant = "now() - make_interval(days => $1::int)";
/** The first hour (UTC) that is kept. History of records is deleted by whole hours: of an hour that is deleted, nothing is settled again. */
const firstHour = bucketOf("1h", firstInstant);
/** Records whose rollups are stale are kept for so many days more: without them, the rollups could not be made again. If they have not
 *  been settled by then, because no collector settles or because it fails, the rollups count as they are. */
export const staleDays = 7;

const firstStaleHour = `(${firstHour} - make_interval(days => ${staleDays}))`;

/** Deletes the records older than `days`, the oldest first; of those whose rollups are stale, only the ones that are older by
 *  `staleDays`.
 *  @returns the number of deleted records: less than `maxRows` if no other is old */
export async function deleteOldRows(transaction: SqlTransaction, days: number, maxRows: number): Promise<number> {
  const also = `(r.time < ${firstStaleHour} or not exists (
    select from unsettled u where u.gpu_key = r.gpu_key and u.hour = ${bucketOf("1h", "r.time")}))`;
  return (await deleteGpuHours(transaction, { ...olderThan(days), table: "telemetry", also, maxRows })).records;
}

const olderThan = (days: number) => ({ before: firstInstant, param: days });

/** Deletes at most `maxRows` of the notes that rollups are stale whose records were deleted without them, as by hand. @returns the number
 *  of deleted notes */
export function deleteOldStale(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = `
    select u.ctid from unsettled u
    where u.hour < ${firstStaleHour} and not exists (
      select from telemetry t where t.gpu_key = u.gpu_key and t.time >= u.hour and t.time < u.hour + interval '1 hour')`;
  return deletePlaces(executor, { table: "unsettled", places }, [days, maxRows]);
}

/** Deletes the blocks older than `days`, the oldest first.
 *  @returns the number of deleted blocks: less than `maxRows` if no other is old, except those of which rows are being made */
export async function deleteOldBlocks(transaction: SqlTransaction, days: number, maxRows: number): Promise<number> {
  return (await deleteGpuHours(transaction, { ...olderThan(days), table: "blocks", maxRows })).rows;
}

/** Deletes at most `maxRows` of the rollups of hours older than `days`. @returns the number of deleted rollups */
export function deleteOldRollups(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = `select ctid from rollups where from_at < ${firstHour} order by from_at`;
  return deletePlaces(executor, { table: "rollups", places }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the rows of usage of hours older than `days`, and of the days that they began.
 *  @returns the number of deleted rows of hours */
export async function deleteOldUsage(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const ofDays = `select ctid from usage_days where from_at < ${firstHour} order by from_at`;
  await deletePlaces(executor, { table: "usage_days", places: ofDays }, [days, maxRows]);
  const places = `select ctid from usage_hours where from_at < ${firstHour} order by from_at`;
  return deletePlaces(executor, { table: "usage_hours", places }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the conflicts of records older than `days`. @returns the number of deleted conflicts */
export function deleteOldConflicts(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = "select ctid from conflicting_values where time < now() - make_interval(days => $1::int)";
  return deletePlaces(executor, { table: "conflicting_values", places }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the ends of series that are older than `days`. @returns the number of deleted ends */
export function deleteOldSeriesEnds(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = "select ctid from series_ends where time < now() - make_interval(days => $1::int)";
  return deletePlaces(executor, { table: "series_ends", places }, [days, maxRows]);
}

/** An hour later than the days, because what is said about an hour begins with it. */
const hourLater = "now() - make_interval(days => $1::int, hours => 1)";

/** Deletes at most `maxRows` of the devices that a file reported for the last time more than `days` ago. @returns the number of deleted
 *  rows */
export function deleteOldReporters(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const still = `last_at < ${hourLater}`;
  const places = `select ctid from unscheduled_devices where ${still}`;
  return deletePlaces(executor, { table: "unscheduled_devices", places, still }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the devices of sources with a schedule that say nothing about the last `days`, and would say nothing about
 *  the days before without these: other sources have reported the device since, or no reading of the source is left.
 *  @returns the number of deleted rows */
export function deleteOldSourceDevices(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const still = `last_at < ${hourLater}`;
  // 10 minutes: see source-hours.ts. One whose end another source has made goes before that other source
  const places = `
    select d.ctid from source_devices d
    where d.${still} and (
      exists (select from source_devices o where o.gpu_key = d.gpu_key and o.last_at > d.last_at + interval '10 minutes'
        and o.first_at < ${hourLater})
      or not exists (select from source_readings r where r.source_id = d.source_id)
        and not exists (select from source_devices o where o.gpu_key = d.gpu_key and o.last_at < d.last_at - interval '10 minutes'))`;
  return deletePlaces(executor, { table: "source_devices", places, still }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the sums of live sources that have ended: they have stored nothing for `days`, and nothing else is left of
 *  them. Those of files stay, because they say what has been read. @returns the number of deleted rows */
export function deleteOldTotals(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  // the position of a live source is a time
  const still = `last_offset < extract(epoch from ${hourLater}) * 1000`;
  const places = `
    select t.ctid from folded_totals t
    where t.${still} and not exists (select from folded_ranges r where r.source_id = t.source_id)
      and not exists (select from ingested_messages m where m.source_id = t.source_id)
      and not exists (select from source_readings r where r.source_id = t.source_id)`;
  return deletePlaces(executor, { table: "folded_totals", places, still }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the hours of readings that are older than `days`: without the records of an hour, its readings say
 *  nothing. @returns the number of deleted hours */
export function deleteOldReadings(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = `select ctid from source_readings where hour < ${hourLater}`;
  return deletePlaces(executor, { table: "source_readings", places }, [days, maxRows]);
}

/** Deletes at most `maxRows` of what was kept about missed readings that are older than `days`. @returns the number of deleted rows */
export function deleteOldMisses(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = `select ctid from source_misses where hour < ${hourLater}`;
  return deletePlaces(executor, { table: "source_misses", places }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the ends of sources that are older than `days`, if no older readings of the source remain. @returns the
 *  number of deleted ends */
export function deleteOldEnds(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = `
    select e.ctid from source_ends e
    where e.ended_at < now() - make_interval(days => $1::int, hours => 2)
      and not exists (select from source_readings r where r.source_id = e.source_id and r.hour <= e.ended_at)`;
  return deletePlaces(executor, { table: "source_ends", places }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the hours of frozen devices that are older than `days`. @returns the number of deleted rows */
export function deleteOldFrozen(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = `select ctid from frozen_readings where hour < ${hourLater}`;
  return deletePlaces(executor, { table: "frozen_readings", places }, [days, maxRows]);
}

/** Deletes at most `maxRows` of the spans of hosts and devices that ended before `days`. The last decommissioning of each remains,
 *  because the inventory says when it came back. @returns the number of deleted spans */
export function deleteOldSpans(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const places = `
    select s.ctid from inventory_spans s
    where least(s.to_at, s.returned_at) < now() - make_interval(days => $1::int) and (s.state = 'maintenance' or exists (
      select from inventory_spans o where o.uuid = s.uuid and o.cluster_id = s.cluster_id and o.hostname = s.hostname
        and o.state = s.state and o.id > s.id))`;
  return deletePlaces(executor, { table: "inventory_spans", places }, [days, maxRows]);
}
