import type { InputTally } from "../../domain/batch.ts";
import type { SourceRange } from "../../domain/range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { newestMigrationMs } from "../migrations.ts";
import { numberArray } from "./array-literal.ts";
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

const text = `
with added as (
  insert into ingested_messages (message_id, idempotency_key, source_id, from_offset, from_line, to_offset, to_line,
    rows, samples, missing, duplicates, conflicts, blank_lines, repeated_headers, rejected, writer_schema)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::text::jsonb, ${writerSchema})
  on conflict do nothing
  returning message_id
)
select exists (select from added) as "isNew", ${incarnation} as incarnation, ${newestMigrationMs} as "newestMigrationMs",
  ${settledAmong("$16::text::float8[]")} as "settledHours"`;

/** The result of recording a message. */
export interface InsertedMessage {
  /** False if the message's id or key is recorded already. */
  readonly isNew: boolean;
  /** Which database the transaction runs in. */
  readonly incarnation: string;
  /** When the database's newest migration was generated. */
  readonly newestMigrationMs: number;
  /** The hours of the message's records in which blocks exist. */
  readonly settledHours: readonly number[];
}

/** Records a message as stored. It is the first statement of a transaction that stores records, so it also says which database
 *  the transaction runs in, and with which schema.
 *  @param hours the hours of the message's records, which the transaction must hold (`holdHours`) */
export async function insertMessage(
  executor: SqlExecutor,
  message: MessageRow,
  hours: readonly number[],
): Promise<InsertedMessage> {
  const { source, tally } = message;
  const [row] = await executor.query<Omit<InsertedMessage, "settledHours"> & { readonly settledHours: string | null }>(
    text,
    [
      message.messageId,
      message.idempotencyKey,
      source.sourceId,
      source.from.offset,
      source.from.line,
      source.to.offset,
      source.to.line,
      tally.rows,
      tally.samples,
      tally.missing,
      tally.duplicates,
      tally.conflicts,
      tally.blankLines,
      tally.repeatedHeaders,
      JSON.stringify(message.rejected),
      numberArray(hours),
    ],
  );
  if (row === undefined) return { isNew: false, incarnation: "", newestMigrationMs: 0, settledHours: [] };
  return { ...row, settledHours: row.settledHours?.split(",").map(Number) ?? [] };
}

/** The results of storing a message's records. */
export interface MessageRecords {
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
update ingested_messages set records_inserted = $2, records_merged = $3, conflicts = $4,
  rejected = coalesce($5::text::jsonb, rejected)
where message_id = $1`;

/** Adds the results to the stored row of the message. */
export function setMessageRecords(
  transaction: SqlTransaction,
  messageId: string,
  { inserted, merged, conflicts, rejected }: MessageRecords,
): void {
  const reasons = rejected === undefined ? null : JSON.stringify(rejected);
  transaction.send(resultText, [messageId, inserted, merged, conflicts, reasons]);
}
