import type { SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { hourMs } from "../../domain/time-range.ts";

// History is settled by the hour (UTC). A transaction that adds records to an hour holds the lock of the hour shared, from before its
// first statement that reads until its end. A transaction that settles an hour holds the lock alone, from before it reads the records
// until its end. So no record can be added to an hour of which others make blocks, and a transaction that has waited for the lock sees
// the blocks. A transaction that settles only tries to get locks: others never wait for a lock that it still waits for.

/** The first number of the locks: arbitrary, the same for every process of this program. The second one is the hour since 1970. */
const lockClass = 7165;
/** Stands for all hours: for transactions that add to more than `hoursMax`. The server has memory for some thousand locks. */
const allHours = -1;
const hoursMax = 64;

/** The beginnings of the hours of some instants, ascending, milliseconds since the epoch. */
export function hoursOf(batches: readonly ArrayLike<number>[]): number[] {
  const hours = new Set<number>();
  for (const timesMs of batches) {
    for (let index = 0; index < timesMs.length; index += 1) hours.add(Math.floor((timesMs[index] as number) / hourMs));
  }
  return [...hours].sort((a, b) => a - b).map((hour) => hour * hourMs);
}

/** Waits while records of these hours are being settled, and keeps them from being settled until the end of the transaction. Only
 *  later statements see what was settled before.
 *  @param hours sorted, so that two transactions wait for each other in one order only */
export function holdHours(transaction: SqlTransaction, hours: readonly number[]): void {
  if (hours.length === 0) return;
  const numbers = hours.length > hoursMax ? [allHours] : hours.map((hour) => hour / hourMs);
  transaction.send(`select pg_advisory_xact_lock_shared(${lockClass}, hour) from unnest($1::text::int4[]) as u(hour)`, [
    numberArray(numbers),
  ]);
}

/** Tries to keep all others from adding records to these hours, and from settling anything, until the end of the transaction.
 *  @returns why it cannot: another transaction settles, or adds to very many hours; or one adds to one of these */
export async function tryHours(
  transaction: SqlTransaction,
  hours: readonly number[],
): Promise<"held" | "others settle" | "hour is busy"> {
  const text = `
select pg_try_advisory_xact_lock(${lockClass}, ${allHours}) as alone, (
  select bool_and(pg_try_advisory_xact_lock(${lockClass}, hour)) from unnest($1::text::int4[]) as u(hour)) as locked`;
  const numbers = numberArray(hours.map((hour) => hour / hourMs));
  const [row] = await transaction.query<{ alone: boolean; locked: boolean }>(text, [numbers]);
  if (row?.alone !== true) return "others settle";
  return row.locked ? "held" : "hour is busy";
}

/** Limits how long a transaction that settles may keep others waiting, whatever happens to its process: it waits for a lock only
 *  shortly, and the server ends a statement that takes long, and a transaction whose process is frozen or cut off. */
export function limitSettling(transaction: SqlTransaction): void {
  transaction.send(`
select set_config('lock_timeout', '5s', true), set_config('statement_timeout', '30s', true),
  set_config('idle_in_transaction_session_timeout', '30s', true), set_config('tcp_user_timeout', '30s', true)`);
}

/** Waits while others settle, and keeps them from settling until the end of the transaction. The transaction must not have locks that
 *  others wait for. A wait of more than half a minute, for this lock or a later one, is an error. */
export function holdSettling(transaction: SqlTransaction): void {
  transaction.send("set local lock_timeout = '30s'");
  transaction.send(`select pg_advisory_xact_lock(${lockClass}, ${allHours})`);
}
