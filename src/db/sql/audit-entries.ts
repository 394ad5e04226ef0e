import { type AuditEntry, refusalResults } from "../../domain/audit-entry.ts";
import type { SqlExecutor } from "../client.ts";
import { textArray } from "./array-literal.ts";

/** Adds entries. */
export async function insertAudit(executor: SqlExecutor, rows: readonly AuditEntry[]): Promise<void> {
  const text = `
insert into audit_log (at, key_id, key_name, address, action, target, result, count)
select to_timestamp("atMs" / 1000), "keyId", "keyName", address, action, target, result, count
from json_to_recordset($1::text::json) as r("atMs" float8, "keyId" text, "keyName" text, address text, action text, target text,
  result text, count int)`;
  // PostgreSQL cannot store NUL
  await executor.query(text, [JSON.stringify(rows).replaceAll("\\u0000", "\\ufffd")]);
}

/** Reads entries, the newest first. @param beforeId only older ones; null: all */
export function selectAudit(
  executor: SqlExecutor,
  limit: number,
  beforeId: number | null,
): Promise<(AuditEntry & { readonly id: number })[]> {
  const text = `
select id::float8 as id, (extract(epoch from at)::float8 * 1000)::float8 as "atMs", key_id as "keyId", key_name as "keyName", address,
  action, target, result, count
from audit_log where ($2::float8 is null or id < $2::float8) order by id desc limit $1::int`;
  return executor.query(text, [limit, beforeId]);
}

/** Deletes at most `maxRows` entries: those older than `days` (0: none), and refusals that more than `maxEntries` entries follow.
 *  @returns the number of deleted entries */
export async function deleteOldAudit(
  executor: SqlExecutor,
  { days, maxEntries, maxRows }: { readonly days: number; readonly maxEntries: number; readonly maxRows: number },
): Promise<number> {
  const text = `
with deleted as (
  delete from audit_log where id in (
    select id from audit_log
    where ($1::int > 0 and at < now() - make_interval(days => $1::int))
      or (result = any($4::text::text[]) and id < (select max(id) from audit_log) - $2::int)
    order by id limit $3::int)
  returning 1
)
select count(*)::int as deleted from deleted`;
  return (
    (await executor.query<{ deleted: number }>(text, [days, maxEntries, maxRows, textArray(refusalResults)]))[0]
      ?.deleted ?? 0
  );
}
