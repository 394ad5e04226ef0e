import { createHash } from "node:crypto";
import type { SourceRange } from "../../domain/range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

// A stored message is a row of `ingested_messages`. When it is old, it is folded: its row is deleted, its counts are added to those of its
// source, and its range is joined to those of its source. Of the key of a message that covers no range, such as those of live sources, 8
// bytes are kept. A message that is delivered again is therefore a duplicate, whether its first delivery is folded or not.

/** What tells whether a message has been folded. */
export interface MessageKey {
  readonly messageId: string;
  readonly idempotencyKey: string;
  readonly source: SourceRange;
}

const offsetsPerPart = 3_600_000;
const hashBytes = 8;

/** The part of a source, in `folded_keys`, that a position is in. */
export function partOf(fromOffset: number): number {
  return Math.floor(fromOffset / offsetsPerPart);
}

/** @returns hexadecimal */
export function hashOf(idempotencyKey: string): string {
  return createHash("sha256").update(idempotencyKey).digest().subarray(0, hashBytes).toString("hex");
}

// a hash may also be found across two neighbours, in one of 2^60 cases
const foldedText = `
select json_agg(m.message_id)::text as folded
from unnest($1::text::text[], $2::text::text[], $3::text::int8[], $4::text::int8[], $5::text::int8[], $6::text::text[])
  as m(message_id, source_id, from_offset, to_offset, part, hash)
where case when m.to_offset > m.from_offset
  then exists (select from folded_ranges r
    where r.source_id = m.source_id and r.from_offset <= m.from_offset and r.to_offset >= m.to_offset)
  else exists (select from folded_keys k
    where k.source_id = m.source_id and k.part = m.part and position(decode(m.hash, 'hex') in k.hashes) > 0) end`;

/** Finds the messages that have been folded. In a transaction that has recorded the messages, it is the next statement: another one
 *  that was folding one of them has then ended, and this one sees its result.
 *  @returns their ids */
export async function foldedAmong(
  executor: SqlExecutor,
  messages: readonly MessageKey[],
): Promise<ReadonlySet<string>> {
  const [row] = await executor.query<{ folded: string | null }>(foldedText, [
    textArray(messages.map(({ messageId }) => messageId)),
    textArray(messages.map(({ source }) => source.sourceId)),
    numberArray(messages.map(({ source }) => source.from.offset)),
    numberArray(messages.map(({ source }) => source.to.offset)),
    numberArray(messages.map(({ source }) => partOf(source.from.offset))),
    textArray(messages.map(({ idempotencyKey }) => hashOf(idempotencyKey))),
  ]);
  return new Set(JSON.parse(row?.folded ?? "[]") as string[]);
}

/** A message whose row has been deleted. */
export interface TakenMessage {
  readonly idempotencyKey: string;
  readonly sourceId: string;
  readonly fromOffset: number;
  readonly fromLine: number;
  readonly toOffset: number;
  readonly toLine: number;
  readonly storedMs: number;
  readonly rejected: Readonly<Record<string, number>>;
  /** In the order of `countColumns`. */
  readonly counts: readonly number[];
}

/** The counts of a message that are added up. */
export const countColumns = [
  ...["rows", "samples", "missing", "duplicates", "conflicts", "blank_lines", "repeated_headers"],
  ...["records_inserted", "records_merged"],
] as const;

/** The lock of the process that folds: an arbitrary number, the same for every process of this program. */
const foldingLock = 7_165_201_387;

/** Tries to lock folding until the end of the transaction. @returns false if another transaction has the lock */
export async function tryFoldingLock(executor: SqlExecutor): Promise<boolean> {
  const text = `select pg_try_advisory_xact_lock(${foldingLock}) as locked`;
  return (await executor.query<{ locked: boolean }>(text))[0]?.locked === true;
}

/** Deletes the rows of messages that the transaction has recorded, because they have been folded before. */
export function withdrawMessages(transaction: SqlTransaction, messageIds: readonly string[]): void {
  if (messageIds.length === 0) return;
  transaction.send("delete from ingested_messages where message_id = any($1::text::text[])", [textArray(messageIds)]);
}

// rows that another transaction has locked are those of a message that is just delivered again
const takeText = `
with old as (
  select message_id from ingested_messages
  where message_id < $1 and ingested_at < now() - make_interval(hours => 1)
  order by message_id limit $2::int for update skip locked
), taken as (
  delete from ingested_messages m using old where m.message_id = old.message_id returning m.*
)
select idempotency_key as "idempotencyKey", source_id as "sourceId", from_offset::float8 as "fromOffset",
  from_line::float8 as "fromLine", to_offset::float8 as "toOffset", to_line::float8 as "toLine",
  (extract(epoch from ingested_at) * 1000)::float8 as "storedMs", rejected::text as rejected,
  concat_ws(',', ${countColumns.join(", ")}) as counts
from taken`;

/** Deletes the rows of at most `limit` messages.
 *  @param beforeId an id (ULID): only messages with a smaller one are taken */
export async function takeMessages(
  transaction: SqlTransaction,
  { beforeId, limit }: { readonly beforeId: string; readonly limit: number },
): Promise<TakenMessage[]> {
  type Row = Omit<TakenMessage, "rejected" | "counts"> & { readonly rejected: string; readonly counts: string };
  const rows = await transaction.query<Row>(takeText, [beforeId, limit]);
  return rows.map((row) => ({
    ...row,
    rejected: JSON.parse(row.rejected) as Record<string, number>,
    counts: row.counts.split(",").map(Number),
  }));
}

/** What messages of a source add up to. */
export interface FoldedTotals {
  readonly sourceId: string;
  readonly messages: number;
  readonly counts: readonly number[];
  readonly rejected: Readonly<Record<string, number>>;
  readonly lastOffset: number;
}

const totalsText = `
insert into folded_totals as t (source_id, messages, ${countColumns.join(", ")}, rejected, last_offset)
select source_id, messages, ${countColumns.join(", ")}, rejected::jsonb, last_offset
from unnest($1::text::text[], $2::text::int8[], $3::text::text[], $4::text::int8[],
  ${countColumns.map((_, index) => `$${index + 5}::text::int8[]`).join(", ")})
  as u(source_id, messages, rejected, last_offset, ${countColumns.join(", ")})
on conflict (source_id) do update set messages = t.messages + excluded.messages,
  ${countColumns.map((name) => `${name} = t.${name} + excluded.${name}`).join(", ")},
  rejected = (select coalesce(jsonb_object_agg(reason, count), '{}') from (
    select key as reason, sum(value::int8) as count
    from (select * from jsonb_each_text(t.rejected) union all select * from jsonb_each_text(excluded.rejected)) reasons
    group by key) summed),
  last_offset = greatest(t.last_offset, excluded.last_offset)`;

/** Adds counts to those of their sources. */
export function addTotals(transaction: SqlTransaction, totals: readonly FoldedTotals[]): void {
  transaction.send(totalsText, [
    textArray(totals.map(({ sourceId }) => sourceId)),
    numberArray(totals.map(({ messages }) => messages)),
    textArray(totals.map(({ rejected }) => JSON.stringify(rejected))),
    numberArray(totals.map(({ lastOffset }) => lastOffset)),
    ...countColumns.map((_, index) => numberArray(totals.map(({ counts }) => counts[index] as number))),
  ]);
}

/** Keys of messages of a source and part. */
export interface FoldedKeys {
  readonly sourceId: string;
  readonly part: number;
  /** Of each key, one after the other. */
  readonly hashes: string;
  readonly storedMs: number;
}

const keysText = `
insert into folded_keys as k (source_id, part, keys, hashes, stored_at)
select source_id, part, length(hashes) / ${hashBytes * 2}, decode(hashes, 'hex'), to_timestamp(stored_ms / 1000.0)
from unnest($1::text::text[], $2::text::int8[], $3::text::text[], $4::text::float8[]) as u(source_id, part, hashes, stored_ms)
on conflict (source_id, part) do update set keys = k.keys + excluded.keys, hashes = k.hashes || excluded.hashes,
  stored_at = greatest(k.stored_at, excluded.stored_at)`;

/** Adds keys to those of their sources and parts. */
export function addKeys(transaction: SqlTransaction, keys: readonly FoldedKeys[]): void {
  transaction.send(keysText, [
    textArray(keys.map(({ sourceId }) => sourceId)),
    numberArray(keys.map(({ part }) => part)),
    textArray(keys.map(({ hashes }) => hashes)),
    numberArray(keys.map(({ storedMs }) => storedMs)),
  ]);
}

/** A range of a source that folded messages cover. */
export type FoldedRange = Pick<TakenMessage, "sourceId" | "fromOffset" | "fromLine" | "toOffset" | "toLine">;

const takeRangesText = `
delete from folded_ranges where source_id = any($1::text::text[])
returning source_id as "sourceId", from_offset::float8 as "fromOffset", from_line::float8 as "fromLine",
  to_offset::float8 as "toOffset", to_line::float8 as "toLine"`;

/** Deletes the ranges of some sources: `addRanges` adds them again. */
export function takeRanges(transaction: SqlTransaction, sourceIds: readonly string[]): Promise<FoldedRange[]> {
  return transaction.query<FoldedRange>(takeRangesText, [textArray(sourceIds)]);
}

const rangesText = `
insert into folded_ranges (source_id, from_offset, from_line, to_offset, to_line)
select * from unnest($1::text::text[], $2::text::int8[], $3::text::int8[], $4::text::int8[], $5::text::int8[])`;

/** Adds ranges of sources whose other ranges `takeRanges` has deleted. */
export function addRanges(transaction: SqlTransaction, ranges: readonly FoldedRange[]): void {
  transaction.send(rangesText, [
    textArray(ranges.map(({ sourceId }) => sourceId)),
    numberArray(ranges.map(({ fromOffset }) => fromOffset)),
    numberArray(ranges.map(({ fromLine }) => fromLine)),
    numberArray(ranges.map(({ toOffset }) => toOffset)),
    numberArray(ranges.map(({ toLine }) => toLine)),
  ]);
}

const oldRoundsText = `
with rounds as (
  select t.ctid as place, f.file, string_to_array(substring(t.source_id from '(?:now:\\d+|round):\\d+$'), ':') as parts
  from folded_totals t join unnest($1::text::text[]) as f(file)
    on starts_with(t.source_id, f.file || ':') and substr(t.source_id, length(f.file) + 2) ~ '^(now:\\d+|round):\\d+$'),
newest_first as (select place, row_number() over (partition by file order by parts[2:]::numeric[] desc) as number from rounds),
deleted as (
  delete from folded_totals where ctid = any(array(select place from newest_first where number > $2::int)) returning source_id)
delete from folded_ranges r using deleted d where r.source_id = d.source_id`;

/** Forgets the rounds of files, except the newest ones: no process reads the others again. @param files the ids of the files */
export function forgetRounds(transaction: SqlTransaction, files: readonly string[], keptRounds: number): void {
  if (files.length > 0) transaction.send(oldRoundsText, [textArray(files), keptRounds]);
}

/** Deletes the keys of messages that were stored more than `days` ago, at most `maxRows` rows of them. @returns the number of keys */
export async function deleteOldKeys(executor: SqlExecutor, days: number, maxRows: number): Promise<number> {
  const text = `
with deleted as (
  delete from folded_keys where ctid = any(array(
    select ctid from folded_keys where stored_at < now() - make_interval(days => $1::int)
    order by stored_at limit $2::int))
  returning keys
)
select coalesce(sum(keys), 0)::float8 as keys from deleted`;
  return (await executor.query<{ keys: number }>(text, [days, maxRows]))[0]?.keys ?? 0;
}
