import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { textArray } from "./array-literal.ts";
import { faultColumns, type FaultRow } from "./fault-rows.ts";

/** How far a receiver of faults is. */
export interface ReceiverRow {
  readonly sequence: number;
  readonly until: number;
}

const isOfTerm = "exists (select from fault_leader where term = $1::float8::int8 for share)";

/** Reads how far a receiver is. One that is new begins after the newest change.
 *  @returns undefined if another term has started */
export async function beginReceiver(
  executor: SqlExecutor,
  term: number,
  receiver: string,
): Promise<ReceiverRow | undefined> {
  const text = `
insert into fault_receivers as r (receiver, sequence, until)
select $2, sequence, sequence from fault_leader where term = $1::float8::int8
on conflict (receiver) do update set sequence = r.sequence where ${isOfTerm}
returning r.sequence::float8 as sequence, r.until::float8 as until`;
  return (await executor.query<ReceiverRow>(text, [term, receiver]))[0];
}

/** Says how far a receiver is. @returns false if another term has started */
export async function moveReceiver(
  executor: SqlExecutor,
  { term, receiver, sequence, until }: ReceiverRow & { readonly term: number; readonly receiver: string },
): Promise<boolean> {
  const text = `
update fault_receivers set sequence = $3::float8::int8, until = $4::float8::int8
where receiver = $2 and ${isOfTerm} returning 1`;
  return (await executor.query(text, [term, receiver, sequence, until])).length > 0;
}

/** Notes faults of which a receiver is not notified yet, and deletes those that no longer wait. */
export function changePostponed(
  transaction: SqlTransaction,
  receiver: string,
  { postponed, settled }: { readonly postponed: readonly string[]; readonly settled: readonly string[] },
): void {
  if (postponed.length > 0) {
    const text = `
insert into fault_postponed (receiver, fault_id) select $1, unnest($2::text::text[]) on conflict do nothing`;
    transaction.send(text, [receiver, textArray(postponed)]);
  }
  if (settled.length > 0) {
    const text = "delete from fault_postponed where receiver = $1 and fault_id = any($2::text::text[])";
    transaction.send(text, [receiver, textArray(settled)]);
  }
}

/** Reads faults of which a receiver is not notified yet, by id. */
export function selectPostponed(executor: SqlExecutor, receiver: string, limit: number): Promise<FaultRow[]> {
  const text = `
select ${faultColumns} from fault_postponed p join faults f on f.id = p.fault_id where p.receiver = $1 order by f.id limit $2::int`;
  return executor.query(text, [receiver, limit]);
}

/** Deletes what is kept of faults that no longer exist. */
export async function deleteLostPostponed(executor: SqlExecutor): Promise<void> {
  await executor.query("delete from fault_postponed p where not exists (select from faults f where f.id = p.fault_id)");
}
