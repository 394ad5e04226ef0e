import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { epochMs } from "./epoch-ms.ts";
import { requestColumns, type RequestRow } from "./fault-rows.ts";
import { jsonParameter } from "./json-parameter.ts";

/** Adds a request. @returns its id */
export async function insertFaultRequest(
  executor: SqlExecutor,
  request: Omit<RequestRow, "id" | "requestedAtMs" | "outcome">,
): Promise<number> {
  const text = `
insert into fault_requests (kind, fault_id, cluster_id, hostname, uuid, author, comment)
select kind, "faultId", "clusterId", hostname, uuid, author, comment
from json_to_record($1::text::json) as r(kind text, "faultId" text, "clusterId" text, hostname text, uuid text, author text, comment text)
returning id::float8 as id`;
  return (await executor.query<{ id: number }>(text, [jsonParameter(request)]))[0]?.id ?? 0;
}

/** Reads a request. */
export async function selectFaultRequest(executor: SqlExecutor, id: number): Promise<RequestRow | undefined> {
  const text = `select ${requestColumns} from fault_requests q where q.id = $1::float8::int8`;
  return (await executor.query<RequestRow>(text, [id]))[0];
}

/** A row of `fault_silences`. Instants are milliseconds since the epoch. */
export interface SilenceRow {
  readonly id: number;
  readonly matchers: readonly { readonly field: string; readonly pattern: string; readonly isEqual: boolean }[];
  readonly within: GpuBounds | null;
  readonly author: string;
  readonly reason: string;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly createdAtMs: number;
  readonly endedAtMs: number | null;
  readonly endedBy: string | null;
}

const silenceColumns = `s.id::float8 as id, s.matchers, s.within, s.author, s.reason, ${epochMs("s.starts_at")} as "startsAtMs",
  ${epochMs("s.ends_at")} as "endsAtMs", ${epochMs("s.created_at")} as "createdAtMs", ${epochMs("s.ended_at")} as "endedAtMs",
  s.ended_by as "endedBy"`;

const hasNotEnded = "s.ended_at is null and s.ends_at > now()";

/** Adds a silence, unless as many as `most` have not ended. */
export async function insertSilence(
  executor: SqlExecutor,
  silence: Omit<SilenceRow, "id" | "createdAtMs" | "endedAtMs" | "endedBy">,
  most: { readonly inAll: number; readonly withinSameBounds: number },
): Promise<SilenceRow | undefined> {
  const text = `
insert into fault_silences as s (matchers, within, author, reason, starts_at, ends_at)
select matchers, within, author, reason, to_timestamp("startsAtMs" / 1000.0), to_timestamp("endsAtMs" / 1000.0)
from json_to_record($1::text::json) as r(matchers jsonb, within jsonb, author text, reason text, "startsAtMs" float8, "endsAtMs" float8)
where (select count(*) from fault_silences s where ${hasNotEnded}) < $2::int
  and (within is null or (select count(*) from fault_silences s where ${hasNotEnded} and s.within = r.within) < $3::int)
returning ${silenceColumns}`;
  return (await executor.query<SilenceRow>(text, [jsonParameter(silence), most.inAll, most.withinSameBounds]))[0];
}

/** Reads silences, the newest first: those that have not ended, or at most `limit` of all.
 *  @param within only those with these bounds; undefined: all */
export function selectSilences(
  executor: SqlExecutor,
  { withEnded, within, limit }: { readonly withEnded: boolean; readonly within?: GpuBounds; readonly limit: number },
): Promise<SilenceRow[]> {
  const conditions = sameBounds(new Conditions(), within);
  if (!withEnded) conditions.addText(hasNotEnded);
  const text = `
select ${silenceColumns} from fault_silences s ${conditions.after("where")}
order by s.id desc limit ${conditions.param(limit)}::int`;
  return executor.query(text, conditions.params);
}

/** Ends a silence. @returns undefined if it does not exist or has ended */
export async function endSilence(
  executor: SqlExecutor,
  { id, by, within }: { readonly id: number; readonly by: string; readonly within?: GpuBounds },
): Promise<SilenceRow | undefined> {
  const conditions = new Conditions([by]).add("s.id = ?::float8::int8", id).addText(hasNotEnded);
  sameBounds(conditions, within);
  const text = `
update fault_silences s set ended_at = now(), ended_by = $1 ${conditions.after("where")} returning ${silenceColumns}`;
  return (await executor.query<SilenceRow>(text, conditions.params))[0];
}

function sameBounds(conditions: Conditions, within: GpuBounds | undefined): Conditions {
  return conditions.add("s.within = ?::text::jsonb", within && jsonParameter(within));
}
