import type { RejectedInput } from "../../domain/batch.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

const text = `
insert into quarantine (source_id, byte_offset, line, reason, field, value, message, raw)
select $1, byte_offset, line, reason, field, value, message, raw
from unnest($2::text::bigint[], $3::text::bigint[], $4::text::text[], $5::text::text[], $6::text::text[],
  $7::text::text[], $8::text::text[]) as r(byte_offset, line, reason, field, value, message, raw)
on conflict do nothing`;

/** Stores rejected inputs. An input is ignored if one with the same source, byte offset and field is already stored. */
export async function insertQuarantine(
  executor: SqlExecutor,
  sourceId: string,
  rejected: readonly RejectedInput[],
): Promise<void> {
  if (rejected.length === 0) return;
  const texts = (field: "reason" | "field" | "value" | "message" | "raw"): string =>
    textArray(rejected.map((input) => input[field]));
  await executor.query(text, [
    sourceId,
    numberArray(rejected.map(({ byte }) => byte)),
    numberArray(rejected.map(({ line }) => line)),
    texts("reason"),
    texts("field"),
    texts("value"),
    texts("message"),
    texts("raw"),
  ]);
}
