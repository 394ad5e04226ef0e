import type { ArchiveReport, ArchiveSelection, ArchiveState } from "../../domain/archive.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { archiveConditions } from "./archive-files.ts";
import { epochMs } from "./epoch-ms.ts";

/** For so long does a process lead that does not say that it goes on. It says so every few seconds. */
const leaseSeconds = 30;

const holds = "holder = $1 and expires_at > now()";

/** Makes a process the one that writes the archive, or keeps it so. In another place than before, nothing is archived yet: what was noted
 *  about the other place is deleted.
 *  @returns false if another process leads */
export async function takeArchiveLead(transaction: SqlTransaction, holder: string, place: string): Promise<boolean> {
  transaction.send("set local lock_timeout = '5s'");
  transaction.send(
    `insert into archive_lead (holder, place, expires_at) values ($1, $2, now()) on conflict do nothing`,
    [holder, place],
  );
  const text = "select place, holder = $1 or expires_at <= now() as free from archive_lead for update";
  const [row] = await transaction.query<{ place: string; free: boolean }>(text, [holder]);
  if (row?.free !== true) return false;
  if (row.place !== place) {
    for (const table of ["archive_files", "archive_hours", "archive_changes"]) transaction.send(`delete from ${table}`);
  }
  await transaction.query(
    `update archive_lead set holder = $1, place = $2, expires_at = now() + interval '${leaseSeconds} seconds'`,
    [holder, place],
  );
  return true;
}

/** Keeps the lead until the end of the transaction. @returns false if the process does not lead */
export async function holdArchiveLead(transaction: SqlTransaction, holder: string): Promise<boolean> {
  const text = `select 1 as one from archive_lead where ${holds} for update`;
  return (await transaction.query(text, [holder])).length === 1;
}

/** Ends the lead, if the process has it. */
export async function endArchiveLead(executor: SqlExecutor, holder: string): Promise<void> {
  await executor.query("update archive_lead set expires_at = now() where holder = $1 and expires_at > now()", [holder]);
}

/** Notes the report of the process that leads. */
export async function reportArchive(executor: SqlExecutor, holder: string, report: ArchiveReport): Promise<void> {
  const { waitingHours, waitingFromMs, failure = "" } = report;
  const text = `
update archive_lead set waiting_hours = $2, waiting_from = to_timestamp($3::float8 / 1000.0), failure = $4 where ${holds}`;
  await executor.query(text, [holder, waitingHours, waitingFromMs ?? null, failure.slice(0, 1000)]);
}

/** Reads what there is. @param selection the files that count */
export async function selectArchiveState(
  executor: SqlExecutor,
  selection: ArchiveSelection = {},
): Promise<ArchiveState> {
  const conditions = archiveConditions(selection);
  const text = `
select l.place, coalesce(l.expires_at > now(), false) as "isLed", coalesce(l.waiting_hours, 0) as "waitingHours",
  ${epochMs("l.waiting_from")} as "waitingFromMs", nullif(l.failure, '') as failure, f.*
from (
  select count(*)::float8 as files, coalesce(sum(records), 0)::float8 as records, coalesce(sum(bytes), 0)::float8 as bytes,
    ${epochMs("min(hour)")} as "firstMs", ${epochMs("max(hour)")} as "lastMs"
  from archive_files ${conditions.after("where")}) f left join archive_lead l on true`;
  const [row] = await executor.query<Nullable<ArchiveState>>(text, conditions.params);
  const { files = 0, records = 0, bytes = 0, waitingHours = 0 } = (row ?? {}) as Partial<ArchiveState>;
  return {
    ...{ files, records, bytes, waitingHours, isLed: row?.isLed === true },
    ...{ place: row?.place ?? undefined, failure: row?.failure ?? undefined },
    ...{ firstMs: row?.firstMs ?? undefined, lastMs: row?.lastMs ?? undefined },
    waitingFromMs: row?.waitingFromMs ?? undefined,
  };
}

type Nullable<Row> = { readonly [Field in keyof Row]: Row[Field] | null };
