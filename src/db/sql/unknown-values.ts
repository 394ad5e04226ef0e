import { getTableColumns } from "drizzle-orm";
import { hourMs } from "../../domain/time-range.ts";
import { blocks } from "../block-tables.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

const knownColumns = Object.values(getTableColumns(blocks)).map(({ name }) => name);

/** True if blocks of these hours have values in columns that a newer version has added: this program would lose them.
 *  @param hours beginnings in milliseconds since the epoch */
export async function haveUnknownValues(executor: SqlExecutor, hours: readonly number[]): Promise<boolean> {
  const unknown = await executor.query<{ name: string }>(
    `select quote_ident(attname) as name from pg_attribute
     where attrelid = 'blocks'::regclass and attnum > 0 and not attisdropped and attname <> all($1::text::text[])`,
    [textArray(knownColumns)],
  );
  if (unknown.length === 0) return false;
  const [found] = await executor.query<{ exists: boolean }>(
    `select exists (select from unnest($1::text::float8[]) as h(hour_ms) join blocks b
       on b.from_at >= to_timestamp(hour_ms / 1000.0) and b.from_at < to_timestamp((hour_ms + ${hourMs}) / 1000.0)
     where ${unknown.map(({ name }) => `b.${name} is not null`).join(" or ")}) as exists`,
    [numberArray(hours)],
  );
  return found?.exists === true;
}
