import type { SqlExecutor } from "../client.ts";
import { bucketOf } from "./rollup-source.ts";

/** The key of the lock for retention: an arbitrary number, the same for every process of this program. */
const retentionLock = 7_165_201_386;

/** Tries to lock retention until the end of the transaction. @returns false if another transaction has the lock */
export async function tryRetentionLock(executor: SqlExecutor): Promise<boolean> {
  const text = `select pg_try_advisory_xact_lock(${retentionLock}) as locked`;
  return (await executor.query<{ locked: boolean }>(text))[0]?.locked === true;
}

/** The first hour (UTC) that is kept. History of records is deleted by whole hours: of an hour that is deleted, nothing is settled again. */
const firstHour = bucketOf("1h", "now() - make_interval(days => $1::int)");

/** Deletes at most `maxRows` of the records older than `days`, the oldest first, except those whose rollups are stale: without the
 *  records, the rollups could not be made again. @returns the number of deleted records */
export async function deleteOldRows(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from telemetry where (gpu_key, time) in (
    select t.gpu_key, t.time from telemetry t
    where t.time < ${firstHour} and not exists (
      select from unsettled u where u.gpu_key = t.gpu_key and u.hour = ${bucketOf("1h", "t.time")})
    order by t.time limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the blocks older than `days`, the oldest first. Blocks of which another transaction makes rows are left
 *  to it. @returns the number of deleted blocks */
export async function deleteOldBlocks(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with old as materialized (
  select gpu_key, from_at from blocks where from_at < ${firstHour} order by from_at limit $2::int for update skip locked),
deleted as (
  delete from blocks b using old where b.gpu_key = old.gpu_key and b.from_at = old.from_at returning 1)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the rollups of hours older than `days`. @returns the number of deleted rollups */
export async function deleteOldRollups(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from rollups where (from_at, first_key) in (
    select from_at, first_key from rollups where from_at < ${firstHour} order by from_at limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the conflicts of records older than `days`. @returns the number of deleted conflicts */
export async function deleteOldConflicts(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from conflicting_values where (gpu_key, time, series, value) in (
    select gpu_key, time, series, value from conflicting_values
    where time < now() - make_interval(days => $1::int) limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the devices that a file reported for the last time more than `days` ago. @returns the number of deleted
 *  rows */
export async function deleteOldReporters(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from unscheduled_devices where (gpu_key, source_id) in (
    select gpu_key, source_id from unscheduled_devices
    where last_at < now() - make_interval(days => $1::int, hours => 1) limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the hours of readings that are older than `days`: without the records of an hour, its readings say
 *  nothing. @returns the number of deleted hours */
export async function deleteOldReadings(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from source_readings where (source_id, hour) in (
    select source_id, hour from source_readings
    where hour < now() - make_interval(days => $1::int, hours => 1) limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of what was kept about missed readings that are older than `days`. @returns the number of deleted rows */
export async function deleteOldMisses(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from source_misses where (source_id, hour, reason) in (
    select source_id, hour, reason from source_misses
    where hour < now() - make_interval(days => $1::int, hours => 1) limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the ends of sources that are older than `days`, if no older readings of the source remain. @returns the
 *  number of deleted ends */
export async function deleteOldEnds(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from source_ends where (source_id, ended_at) in (
    select e.source_id, e.ended_at from source_ends e
    where e.ended_at < now() - make_interval(days => $1::int, hours => 2)
      and not exists (select from source_readings r where r.source_id = e.source_id and r.hour <= e.ended_at) limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the hours of frozen devices that are older than `days`. @returns the number of deleted rows */
export async function deleteOldFrozen(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from frozen_readings where (source_id, hour, gpu_key) in (
    select source_id, hour, gpu_key from frozen_readings
    where hour < now() - make_interval(days => $1::int, hours => 1) limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` of the spans of hosts and devices that ended before `days`. The last decommissioning of each remains,
 *  because the inventory says when it came back. @returns the number of deleted spans */
export async function deleteOldSpans(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from inventory_spans where id in (
    select s.id from inventory_spans s
    where least(s.to_at, s.returned_at) < now() - make_interval(days => $1::int) and (s.state = 'maintenance' or exists (
      select from inventory_spans o where o.uuid = s.uuid and o.cluster_id = s.cluster_id and o.hostname = s.hostname
        and o.state = s.state and o.id > s.id))
    limit $2::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}
