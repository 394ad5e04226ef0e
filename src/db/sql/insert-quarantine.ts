import type { RejectedInput } from "../../domain/batch.ts";
import type { SqlTransaction } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

const text = `
insert into quarantine (source_id, item, byte_offset, line, reason, field, value, message, raw)
select $1, item, byte_offset, line, reason, field, value, message, raw
from unnest($2::text::text[], $3::text::bigint[], $4::text::bigint[], $5::text::text[], $6::text::text[], $7::text::text[],
  $8::text::text[], $9::text::text[]) as r(item, byte_offset, line, reason, field, value, message, raw)
on conflict do nothing`;

/** A message that is stored for the first time. */
interface StoredMessage {
  readonly messageId: string;
  readonly source: { readonly sourceId: string };
}

/** Stores a message's rejected inputs. A row of a file is ignored if the same field of the same row is already stored, from
 *  another message. All other inputs are stored: no other message has them. */
export function insertQuarantine(
  transaction: SqlTransaction,
  { messageId, source }: StoredMessage,
  rejected: readonly RejectedInput[],
): void {
  if (rejected.length === 0) return;
  const texts = (field: "reason" | "field" | "value" | "message" | "raw"): string =>
    textArray(rejected.map((input) => input[field]));
  transaction.send(text, [
    source.sourceId,
    textArray(itemsOf(rejected, messageId)),
    numberArray(rejected.map(({ byte }) => byte)),
    numberArray(rejected.map(({ line }) => line)),
    texts("reason"),
    texts("field"),
    texts("value"),
    texts("message"),
    texts("raw"),
  ]);
}

/** What tells apart the inputs that have one place and one field. */
function itemsOf(rejected: readonly RejectedInput[], messageId: string): string[] {
  const timesAt = new Map<string, number>();
  return rejected.map(({ line, byte, field }, index) => {
    if (line === 0) return `${messageId}#${index}`;
    const place = `${byte} ${field}`;
    const times = timesAt.get(place) ?? 0;
    timesAt.set(place, times + 1);
    return times === 0 ? "" : `#${times}`;
  });
}
