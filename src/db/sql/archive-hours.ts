import type { ArchivedFile, OpenHours } from "../../domain/archive.ts";
import { dayMs, hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { msDaysAgo } from "./delete-surplus.ts";
import { epochMs } from "./epoch-ms.ts";
import { numberArray } from "./array-literal.ts";
import { hoursWithRows } from "./hours-with-rows.ts";

// The archive has a file for each hour and cluster, which is written again when records have come for its hour. A process that writes an
// hour first notes it in archive_hours, in a transaction that has the hour's lock alone: all transactions before it that add records have
// ended then, and are read. Those after it find the hour there, and note in archive_changes that it has to be written again.

/** Notes that records come for hours of which the archive has been begun. The transaction must hold the hours (`holdHours`).
 *  @param hours ascending, so that transactions wait for each other in one order only */
export function noteArchiveChanges(transaction: SqlTransaction, hours: readonly number[]): void {
  if (hours.length === 0) return;
  const text = `
insert into archive_changes (hour)
select h.hour from (select to_timestamp(ms / 1000.0) as hour from unnest($1::text::float8[]) as u(ms)) h
where exists (select from archive_hours a where a.hour = h.hour)
  and not exists (select from archive_changes c where c.hour = h.hour)
order by 1 on conflict do nothing`;
  transaction.send(text, [numberArray(hours)]);
}

/** Notes that an hour is being written. The transaction must have its lock alone (`tryHours`). */
export function beginArchiveHour(transaction: SqlTransaction, hour: number): void {
  transaction.send("delete from archive_changes where hour = to_timestamp($1::float8 / 1000.0)", [hour]);
  transaction.send(
    `insert into archive_hours (hour, is_open) values (to_timestamp($1::float8 / 1000.0), true)
on conflict (hour) do update set is_open = true`,
    [hour],
  );
}

/** Notes that an hour has to be written again. */
export async function reopenArchiveHour(executor: SqlExecutor, hour: number): Promise<void> {
  await executor.query("update archive_hours set is_open = true where hour = to_timestamp($1::float8 / 1000.0)", [
    hour,
  ]);
}

/** Notes that an hour is written, with its files. */
export function completeArchiveHour(transaction: SqlTransaction, hour: number, files: readonly ArchivedFile[]): void {
  for (const { clusterId, path, records, bytes, sha256 } of files) {
    const text = `
insert into archive_files (hour, cluster_id, path, records, bytes, sha256, written_at)
values (to_timestamp($1::float8 / 1000.0), $2, $3, $4::text::int8, $5::text::int8, $6, now())
on conflict (hour, cluster_id) do update set path = excluded.path, records = excluded.records, bytes = excluded.bytes,
  sha256 = excluded.sha256, written_at = excluded.written_at`;
    transaction.send(text, [hour, clusterId, path, String(records), String(bytes), sha256]);
  }
  const text = `
update archive_hours set is_open = false, archived_at = now() where hour = to_timestamp($1::float8 / 1000.0)`;
  transaction.send(text, [hour]);
}

/** The clusters of which there are files of an hour, with the paths of these. */
export function selectArchivedHour(
  executor: SqlExecutor,
  hour: number,
): Promise<Pick<ArchivedFile, "clusterId" | "path">[]> {
  const text = `
select cluster_id as "clusterId", path from archive_files where hour = to_timestamp($1::float8 / 1000.0) order by cluster_id`;
  return executor.query(text, [hour]);
}

/** Finds the days for which records must be kept, so that none is deleted that is not archived: at least `days`. Until the end of the
 *  transaction, no record is added to an hour that is archived. */
export async function daysArchived(transaction: SqlTransaction, days: number): Promise<number> {
  const untilMs = await msDaysAgo(transaction, days);
  const firstMs = await firstUnarchived(transaction, untilMs);
  return firstMs === undefined ? days : days + Math.ceil((untilMs - firstMs) / dayMs);
}

/** @returns true if all hours before an instant are archived, and stay so until the end of the transaction */
export async function isArchivedUntil(transaction: SqlTransaction, toMs: number): Promise<boolean> {
  return (await firstUnarchived(transaction, toMs)) === undefined;
}

/** Who adds to an archived hour notes it in archive_changes before it changes records: it ends before this lock is held, and is then seen,
 *  or waits for the end of the transaction. */
async function firstUnarchived(transaction: SqlTransaction, toMs: number): Promise<number | undefined> {
  transaction.send("lock table archive_changes in share mode");
  const text = `
select ${epochMs("min(f.hour)")} as first
from (select hour from (${hoursWithRows("telemetry", "time")}) r union select hour from (${hoursWithRows("blocks", "from_at")}) b) f
left join archive_hours a on a.hour = f.hour
where a.hour is null or a.is_open or exists (select from archive_changes c where c.hour = f.hour)`;
  const [row] = await transaction.query<{ first: number | null }>(text, [0, toMs]);
  return row?.first ?? undefined;
}

const dueMax = 1000;

/** Finds the hours that have records and are not archived, or not as they are now.
 *  @param age when an hour counts as over, and for how long no late record may have come for it; late records of 6 hours are enough */
export async function selectOpenHours(
  executor: SqlExecutor,
  { afterMs, quietMs }: { readonly afterMs: number; readonly quietMs: number },
): Promise<OpenHours> {
  const text = `
with filled as (
  select hour from (${hoursWithRows("telemetry", "time")}) r union select hour from (${hoursWithRows("blocks", "from_at")}) b),
open as (
  select f.hour, f.hour + ($3::float8 + ${hourMs}) * interval '1 ms' <= now() as is_over, not exists (
    select from late_hours l where l.hour = f.hour and l.last_at <> 'infinity' and l.first_at > now() - interval '6 hours'
      and l.last_at > now() - $4::float8 * interval '1 ms' and l.last_at <= now() + interval '1 minute') as is_quiet
  from filled f left join archive_hours a on a.hour = f.hour
  where a.hour is null or a.is_open or exists (select from archive_changes c where c.hour = f.hour))
select ${epochMs("now()")} as "nowMs", (
  select string_agg((${epochMs("hour")})::text, ',' order by hour)
  from (select hour from open where is_over and is_quiet order by hour limit ${dueMax}) d) as due,
  (select count(*)::int from open where is_over) as over, (select ${epochMs("min(hour)")} from open where is_over) as "firstOver",
  (select ${epochMs("min(hour)")} from open) as first`;
  const [row] = await executor.query<OpenRow>(text, [0, endOfTimeMs, afterMs, quietMs]);
  return {
    nowMs: row?.nowMs ?? NaN,
    due: row?.due?.split(",").map(Number) ?? [],
    over: row?.over ?? 0,
    firstOver: row?.firstOver ?? undefined,
    first: row?.first ?? undefined,
  };
}

/** The year 3000. */
const endOfTimeMs = 32_503_680_000_000;

interface OpenRow {
  readonly nowMs: number;
  readonly due: string | null;
  readonly over: number;
  readonly firstOver: number | null;
  readonly first: number | null;
}
