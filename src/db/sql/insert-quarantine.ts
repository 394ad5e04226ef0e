import { createHash } from "node:crypto";
import type { RecordBatch, RejectedInput } from "../../domain/batch.ts";
import { idOfAllRounds } from "../../domain/round-source.ts";
import type { SourceRange } from "../../domain/range.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlTransaction } from "../client.ts";
import { pushIdOf } from "../../domain/push-keys.ts";
import { numberArray, textArray } from "./array-literal.ts";

const text = `
insert into quarantine (source_id, push_id, item, byte_offset, line, reason, field, value, message, raw)
select $1, nullif($10::text, ''), item, byte_offset, line, reason, field, value, message, raw
from unnest($2::text::text[], $3::text::bigint[], $4::text::bigint[], $5::text::text[], $6::text::text[], $7::text::text[],
  $8::text::text[], $9::text::text[]) as r(item, byte_offset, line, reason, field, value, message, raw)
on conflict do nothing`;

/** A message that is stored for the first time. */
interface StoredMessage {
  readonly messageId: string;
  readonly idempotencyKey: string;
  readonly source: SourceRange;
  readonly batch: Pick<RecordBatch, "reading">;
}

/** Stores a message's rejected inputs. A row of a file is ignored if the same field of the same row is already stored, from
 *  another message: a file that is played again and again has it once. An input of a live source's reading is ignored if its source, reason, field and series are already stored in the
 *  hour: a line that is bad in one reading is bad in all of them. All other inputs are stored: no other message has them. So it is with
 *  pushes, which have one source and many first lines. */
export function insertQuarantine(
  transaction: SqlTransaction,
  { messageId, idempotencyKey, source, batch: { reading } }: StoredMessage,
  rejected: readonly RejectedInput[],
): void {
  if (rejected.length === 0) return;
  const isOfFile = source.from.offset !== source.to.offset;
  const items = isOfFile ? itemsOf(rejected, messageId) : rejected.map((_, index) => `${messageId}#${index}`);
  const inHour = rejected.map((input) => (reading === undefined ? undefined : itemInHour(input, reading.timeMs)));
  const texts = (field: "reason" | "field" | "value" | "message" | "raw"): string =>
    textArray(rejected.map((input) => input[field]));
  transaction.send(text, [
    idOfAllRounds(source.sourceId),
    textArray(items.map((item, index) => inHour[index] ?? item)),
    // the text of a reading is not kept, and its bytes move with the numbers before them
    numberArray(rejected.map(({ byte }, index) => (inHour[index] === undefined ? byte : 0))),
    numberArray(rejected.map(({ line }) => line)),
    texts("reason"),
    texts("field"),
    texts("value"),
    texts("message"),
    texts("raw"),
    pushIdOf(idempotencyKey) ?? "",
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

/** The name and the labels of a sample; without the labels if they do not close. */
const seriesText = /^\s*[^{\s]*\s*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?/;
const uuidInJson = /"uuid":"[^"]*"/;
/** Enough that two series of a source have the same only by an absurd chance. */
const hashCharacters = 22;

/** What is equal for all inputs of a live source and an hour that have the same reason, field and series.
 *  @returns undefined for values that two hosts report: they are in quarantine and nowhere else */
function itemInHour({ line, reason, field, raw }: RejectedInput, timeMs: number): string | undefined {
  if (reason === "uuid_on_two_hosts") return undefined;
  const [series = ""] = (line > 0 ? seriesText : uuidInJson).exec(raw) ?? [];
  const hour = new Date(timeMs - (timeMs % hourMs)).toISOString();
  const hash = createHash("sha256")
    .update(JSON.stringify([reason, field, series]))
    .digest("base64url");
  return `${hour} ${hash.slice(0, hashCharacters)}`;
}
