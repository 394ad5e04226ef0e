import type { InputTally } from "../../domain/batch.ts";
import type { SourceRange } from "../../domain/range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { type DatabaseSchema, neededMigrationMs, newestMigrationMs } from "../migrations.ts";
import { numberArray, textArray } from "./array-literal.ts";
import { incarnation } from "./database-state.ts";
import { settledAmong } from "./packed-blocks.ts";

/** The stored row of a message. */
export interface MessageRow {
  readonly messageId: string;
  readonly idempotencyKey: string;
  readonly source: SourceRange;
  readonly tally: InputTally;
  /** The number of rejected inputs by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** The newest migration that changed how this program writes, for the column `writer_schema`. */
const writerSchema = 12;

// in the order of keys: another transaction that stores some of the messages waits for one of them before it has added any later one
const textFor = (journal: string): string => `
with added as (
  insert into ingested_messages (message_id, idempotency_key, source_id, from_offset, from_line, to_offset, to_line,
    rows, samples, missing, duplicates, conflicts, blank_lines, repeated_headers, rejected, writer_schema)
  select message_id, idempotency_key, source_id, from_offset, from_line, to_offset, to_line,
    rows, samples, missing, duplicates, conflicts, blank_lines, repeated_headers, rejected::jsonb, ${writerSchema}
  from unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::int8[], $5::text::int8[], $6::text::int8[],
    $7::text::int8[], $8::text::int4[], $9::text::int4[], $10::text::int4[], $11::text::int4[], $12::text::int4[],
    $13::text::int4[], $14::text::int4[], $15::text::text[])
    as m(message_id, idempotency_key, source_id, from_offset, from_line, to_offset, to_line, rows, samples, missing, duplicates,
      conflicts, blank_lines, repeated_headers, rejected)
  order by idempotency_key
  on conflict do nothing
  returning message_id
)
select (select json_agg(message_id) from added)::text as added, ${incarnation} as incarnation,
  ${newestMigrationMs(journal)} as "newestMs", ${neededMigrationMs(journal)} as "neededMs", ${settledAmong("$16::text::float8[]")} as "settledHours"`;

/** Where messages are recorded. */
export interface StoringPlace {
  /** The hours of the messages' records, which the transaction must hold (`holdHours`). */
  readonly hours: readonly number[];
  /** The table of the migrations, as SQL names it. */
  readonly journal: string;
}

/** The result of recording messages. */
export interface InsertedMessages {
  /** The ids of the messages that were not recorded yet, neither their id nor their key. */
  readonly added: ReadonlySet<string>;
  /** Which database the transaction runs in. */
  readonly incarnation: string;
  readonly schema: DatabaseSchema;
  /** The hours of the messages' records in which blocks exist. */
  readonly settledHours: readonly number[];
}

interface InsertedRow extends DatabaseSchema, Pick<InsertedMessages, "incarnation"> {
  readonly added: string | null;
  readonly settledHours: string | null;
}

/** Records messages as stored. It is the first statement of a transaction that stores records, so it also says which database
 *  the transaction runs in, and with which schema.
 *  @param messages with ids and keys of their own */
export async function insertMessages(
  executor: SqlExecutor,
  messages: readonly MessageRow[],
  { hours, journal }: StoringPlace,
): Promise<InsertedMessages> {
  const texts = (value: (message: MessageRow) => string): string => textArray(messages.map(value));
  const numbers = (value: (message: MessageRow) => number): string => numberArray(messages.map(value));
  const tallies = tallyNames.map((name) => numbers(({ tally }) => tally[name]));
  const [row] = await executor.query<InsertedRow>(textFor(journal), [
    texts(({ messageId }) => messageId),
    texts(({ idempotencyKey }) => idempotencyKey),
    texts(({ source }) => source.sourceId),
    numbers(({ source }) => source.from.offset),
    numbers(({ source }) => source.from.line),
    numbers(({ source }) => source.to.offset),
    numbers(({ source }) => source.to.line),
    ...tallies,
    texts(({ rejected }) => JSON.stringify(rejected)),
    numberArray(hours),
  ]);
  if (row === undefined) {
    return { added: new Set(), incarnation: "", schema: { newestMs: 0, neededMs: 0 }, settledHours: [] };
  }
  const { added, settledHours, incarnation: of, newestMs, neededMs } = row;
  return {
    incarnation: of,
    schema: { newestMs, neededMs },
    added: new Set(JSON.parse(added ?? "[]") as string[]),
    settledHours: settledHours?.split(",").map(Number) ?? [],
  };
}

const tallyNames = [
  "rows",
  "samples",
  "missing",
  "duplicates",
  "conflicts",
  "blankLines",
  "repeatedHeaders",
] as const satisfies readonly (keyof InputTally)[];

/** The results of storing a message's records. */
export interface MessageRecords {
  readonly messageId: string;
  /** Records that were new. */
  readonly inserted: number;
  /** Records that another message had stored before. */
  readonly merged: number;
  /** How many conflicts the store has more than before; negative if it has fewer. */
  readonly conflicts: number;
  /** The number of the message's rejected inputs by reason, including inputs that the store rejected; undefined if the store
   *  rejected none. */
  readonly rejected: Readonly<Record<string, number>> | undefined;
}

const resultText = `
update ingested_messages m set records_inserted = u.inserted, records_merged = u.merged, conflicts = u.conflicts,
  rejected = coalesce(u.rejected::jsonb, m.rejected)
from unnest($1::text::text[], $2::text::int4[], $3::text::int4[], $4::text::int4[], $5::text::text[])
  as u(message_id, inserted, merged, conflicts, rejected)
where m.message_id = u.message_id`;

/** Adds the results to the stored rows of the messages. */
export function setMessageRecords(transaction: SqlTransaction, results: readonly MessageRecords[]): void {
  transaction.send(resultText, [
    textArray(results.map(({ messageId }) => messageId)),
    numberArray(results.map(({ inserted }) => inserted)),
    numberArray(results.map(({ merged }) => merged)),
    numberArray(results.map(({ conflicts }) => conflicts)),
    textArray(results.map(({ rejected }) => rejected && JSON.stringify(rejected))),
  ]);
}
