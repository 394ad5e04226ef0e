import { stringify } from "csv-stringify/sync";
import { textCell } from "../../src/routes/http/formats/csv-cells.ts";
import { cellOf, type Row } from "./output.ts";

/** Rows as CSV, with a column for each field that any of them has. */
export function csvRows(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => names.map((name) => csvCell(row[name])));
  return stringify([names, ...cells]).trimEnd();
}

/** A cell that is safe on a terminal and in a spreadsheet, which would run a text that begins with `=`. */
const csvCell = (value: unknown): string => (typeof value === "string" ? textCell(cellOf(value)) : cellOf(value));
