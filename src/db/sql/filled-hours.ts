import { hourOf, type TimeRange } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { epochMs } from "./epoch-ms.ts";
import { withinRange } from "./hours-with-rows.ts";

// A device with a wrong clock may leave years without records between its own and all others. What reads the history hour by hour finds
// the next hour that has any by the indexes on the time, and skips the years.

const columnOf = { telemetry: "time", blocks: "from_at", rollups: "from_at", unsettled: "hour" } as const;

/** A table whose rows are of an instant or of an hour. */
type HourlyTable = keyof typeof columnOf;

/** Finds the first hour (UTC) of a range of which any of the tables has rows.
 *  @param range from the beginning of an hour, all of the hour counts
 *  @returns milliseconds since the epoch; undefined if there is none */
export function selectNextHour(
  executor: SqlExecutor,
  tables: readonly HourlyTable[],
  range: TimeRange,
): Promise<number | undefined> {
  return hourWith(executor, tables, { range, end: "min" });
}

/** Finds the last hour (UTC) of a range of which any of the tables has rows.
 *  @returns milliseconds since the epoch; undefined if there is none */
export function selectLastHour(
  executor: SqlExecutor,
  tables: readonly HourlyTable[],
  range: TimeRange,
): Promise<number | undefined> {
  return hourWith(executor, tables, { range, end: "max" });
}

/** Finds the next hour (UTC) that has blocks or rollups. @returns undefined if there is none
 *  @param fromMs the hour or a later one; -Infinity: the first one */
export function selectNextSettledHour(executor: SqlExecutor, fromMs: number): Promise<number | undefined> {
  return selectNextHour(executor, ["blocks", "rollups"], { fromMs, toMs: Infinity });
}

async function hourWith(
  executor: SqlExecutor,
  tables: readonly HourlyTable[],
  { range, end }: { readonly range: TimeRange; readonly end: "min" | "max" },
): Promise<number | undefined> {
  const each = tables.map((table) => {
    const at = columnOf[table];
    return `(select ${end}(${at}) from ${table} where ${withinRange(at)})`;
  });
  const text = `select ${epochMs(`${end === "min" ? "least" : "greatest"}(${each.join(", ")})`)} as "atMs"`;
  const [row] = await executor.query<{ atMs: number | null }>(text, [range.fromMs, range.toMs]);
  return typeof row?.atMs === "number" ? hourOf(row.atMs) : undefined;
}
