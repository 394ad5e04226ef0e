import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { faultColumns, type FaultRow, requestColumns, type RequestRow } from "./fault-rows.ts";
import { jsonParameter } from "./json-parameter.ts";

/** Begins a term. @returns its number */
export async function beginFaultTerm(executor: SqlExecutor, leader: string): Promise<number> {
  const text = `
insert into fault_leader (term, leader) values (1, $1)
on conflict (row) do update set term = fault_leader.term + 1, leader = excluded.leader, since = now(), batch = 0
returning term::float8 as term`;
  return (await executor.query<{ term: number }>(text, [leader]))[0]?.term ?? 0;
}

/** Takes the next batch of a term, with numbers for its changes. Other transactions of leaders wait until this one ends.
 *  @returns the sequence before the first change; `repeated` if the batch was taken before; undefined if another term has started */
export async function takeFaultBatch(
  executor: SqlExecutor,
  { term, batch, changes }: { readonly term: number; readonly batch: number; readonly changes: number },
): Promise<number | "repeated" | undefined> {
  const text = `
update fault_leader set batch = $2::float8::int8, sequence = sequence + $3::int
where term = $1::float8::int8 and batch = $2::float8::int8 - 1 returning (sequence - $3::int)::float8 as sequence`;
  const [taken] = await executor.query<{ sequence: number }>(text, [term, batch, changes]);
  if (taken !== undefined) return taken.sequence;
  const isRepeated = "select from fault_leader where term = $1::float8::int8 and batch = $2::float8::int8";
  return (await executor.query(isRepeated, [term, batch])).length > 0 ? "repeated" : undefined;
}

/** A fault after the changes of a batch; `changes` is their number. */
export type ChangedFaultRow = FaultRow;

const recordOfFaults = `json_to_recordset($1::text::json) as r(id text, name text, rule text, severity text, summary text, kind text,
  "clusterId" text, hostname text, uuid text, job text, "startedAtMs" float8, holders jsonb, action text, runbook text, state text,
  "stateSinceMs" float8, "firedAtMs" float8, "endedAtMs" float8, value float8, why text, "acknowledgedBy" text,
  "acknowledgedAtMs" float8, comment text, changes int)`;

/** Adds and changes faults. What was said at the beginning of a fault stays. */
export function upsertFaults(transaction: SqlTransaction, rows: readonly ChangedFaultRow[]): void {
  const text = `
insert into faults as f (id, name, rule, severity, summary, kind, cluster_id, hostname, uuid, job, started_at, holders, action, runbook,
  state, state_since, fired_at, ended_at, value, why, acknowledged_by, acknowledged_at, comment, changes)
select id, name, rule, severity, summary, kind, "clusterId", hostname, uuid, job, ${instant("startedAtMs")}, holders, action, runbook,
  state, ${instant("stateSinceMs")}, ${instant("firedAtMs")}, ${instant("endedAtMs")}, value, why, "acknowledgedBy",
  ${instant("acknowledgedAtMs")}, comment, changes
from ${recordOfFaults}
on conflict (id) do update set state = excluded.state, state_since = excluded.state_since,
  fired_at = coalesce(f.fired_at, excluded.fired_at), ended_at = excluded.ended_at, value = excluded.value, why = case when excluded.state = 'acknowledged' then f.why else excluded.why end,
  acknowledged_by = coalesce(excluded.acknowledged_by, f.acknowledged_by),
  acknowledged_at = coalesce(excluded.acknowledged_at, f.acknowledged_at),
  comment = coalesce(excluded.comment, f.comment), changes = f.changes + excluded.changes`;
  transaction.send(text, [jsonParameter(rows)]);
}

/** A change to add. */
export interface NewChangeRow {
  readonly faultId: string;
  readonly state: string;
  readonly atMs: number;
  readonly value: number | null;
  readonly why: string;
  readonly author: string;
  readonly comment: string;
  /** Its number in the batch, from 1. */
  readonly number: number;
  /** How many changes of the same fault follow in the batch. */
  readonly later: number;
}

/** Adds changes, after `upsertFaults` has counted them. @param sequence the number before the first one */
export function insertFaultChanges(transaction: SqlTransaction, sequence: number, rows: readonly NewChangeRow[]): void {
  const text = `
insert into fault_changes (sequence, fault_id, ordinal, state, at, value, why, author, comment)
select $2::float8::int8 + r.number, r."faultId", f.changes - r.later, r.state, ${instant("atMs")}, r.value, r.why, r.author, r.comment
from json_to_recordset($1::text::json) as r("faultId" text, state text, "atMs" float8, value float8, why text, author text, comment text,
  number int, later int)
join faults f on f.id = r."faultId"`;
  transaction.send(text, [jsonParameter(rows), sequence]);
}

/** A state of the evaluator; null: it is forgotten. */
export interface StateRow {
  readonly kind: string;
  readonly place: string;
  readonly state: string | null;
}

/** Replaces states, and deletes forgotten ones. */
export function saveFaultStates(transaction: SqlTransaction, rows: readonly StateRow[]): void {
  const saved = rows.filter(({ state }) => state !== null);
  const forgotten = rows.filter(({ state }) => state === null);
  if (saved.length > 0) {
    const text = `
insert into fault_states (kind, place, state)
select kind, place, state from json_to_recordset($1::text::json) as r(kind text, place text, state text)
on conflict (kind, place) do update set state = excluded.state, saved_at = now()`;
    transaction.send(text, [jsonParameter(saved)]);
  }
  if (forgotten.length > 0) {
    const text = `
delete from fault_states s using json_to_recordset($1::text::json) as r(kind text, place text)
where s.kind = r.kind and s.place = r.place`;
    transaction.send(text, [jsonParameter(forgotten)]);
  }
}

/** Reads states, ordered by kind and place. */
export function selectFaultStates(
  executor: SqlExecutor,
  after: Pick<StateRow, "kind" | "place"> | undefined,
  limit: number,
): Promise<(StateRow & { readonly state: string })[]> {
  const text = `
select kind, place, state from fault_states where (kind collate "C", place collate "C") > ($1, $2)
order by kind collate "C", place collate "C" limit $3::int`;
  return executor.query(text, [after?.kind ?? "", after?.place ?? "", limit]);
}

/** Reads the faults that have not ended, ordered by id. */
export function selectLastingFaults(executor: SqlExecutor, after: string, limit: number): Promise<FaultRow[]> {
  const text = `
select ${faultColumns} from faults f where f.ended_at is null and f.id collate "C" > $1 order by f.id collate "C" limit $2::int`;
  return executor.query(text, [after, limit]);
}

/** Reads the oldest requests that have not been carried out. */
export function selectOpenRequests(executor: SqlExecutor, limit: number): Promise<RequestRow[]> {
  const text = `select ${requestColumns} from fault_requests q where q.done_at is null order by q.id limit $1::int`;
  return executor.query(text, [limit]);
}

/** Marks requests as carried out. */
export function closeRequests(
  transaction: SqlTransaction,
  rows: readonly { readonly id: number; readonly outcome: string }[],
): void {
  const text = `
update fault_requests q set done_at = now(), outcome = r.outcome
from json_to_recordset($1::text::json) as r(id float8, outcome text) where q.id = r.id::int8 and q.done_at is null`;
  transaction.send(text, [jsonParameter(rows)]);
}

/** Deletes at most `maxRows` faults with their changes: those that ended more than `days` ago (0: none), and those that ended without
 *  having fired more than an hour ago. @returns the number of deleted faults */
export async function deleteOldFaults(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with gone as (
  delete from faults where id in (
    select id from faults
    where ($1::int > 0 and ended_at < now() - make_interval(days => $1::int))
      or (fired_at is null and ended_at < now() - interval '1 hour')
    limit $2::int)
  returning id),
changes as (delete from fault_changes c using gone where c.fault_id = gone.id)
select count(*)::int as deleted from gone`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

/** Deletes at most `maxRows` requests that were carried out, and as many silences that ended, more than `days` ago.
 *  @returns the number of deleted rows */
export async function deleteOldOrders(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const old = "now() - make_interval(days => $1::int)";
  const text = `
with requests as (
  delete from fault_requests where id in (select id from fault_requests where done_at < ${old} order by id limit $2::int) returning 1),
silences as (
  delete from fault_silences
  where id in (select id from fault_silences where least(ends_at, ended_at) < ${old} order by id limit $2::int) returning 1)
select ((select count(*) from requests) + (select count(*) from silences))::int as deleted`;
  return (await executor.query<{ deleted: number }>(text, [days, maxRows]))[0]?.deleted ?? 0;
}

const instant = (field: string): string => `to_timestamp(r."${field}" / 1000.0)`;
