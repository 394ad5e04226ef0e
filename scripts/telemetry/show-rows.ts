import { ageText } from "../../src/kit/age-text.ts";
import { print, printError, printText } from "../../src/terminal/print.ts";
import { fitsNarrow, plainTable, printRows, terminalWidth } from "./narrow-table.ts";
import { cellIn, type Output, type Row, titleOf } from "./output.ts";

/** How rows are shown. */
export interface ShowOptions extends Pick<Output, "asJson"> {
  readonly next?: string | undefined;
  /** Columns that a terminal may be too narrow for, those that are left out first at the beginning. */
  readonly spare?: readonly string[];
  /** The column of times that is shown as an age before any other is left out. */
  readonly time?: string;
}

/** Prints rows as a table of the given columns, or as JSON with all fields. Reports on standard error if the list has more rows. On a
 *  terminal that is too narrow, long texts go on in the next line.
 *  @param next the cursor of the list's next page; absent if there is none */
export function showRows(rows: readonly Row[], columns: readonly string[], options: ShowOptions): void {
  const { asJson, next, spare = [], time } = options;
  if (next !== undefined) printError(`the list has more rows: raise --limit (up to 10000) to see them`);
  if (asJson) return print(JSON.stringify(rows, null, 2));
  const aged = rows.map((row) => (time === undefined ? row : withAge(row, time)));
  const agedColumns = columns.map((name) => (name === time ? ageColumn : name));
  const least = agedColumns.filter((name) => !spare.includes(name));
  const isAged = rows.length > fewRows && needsAge(rows, columns) && !needsAge(aged, least);
  const [shown, kept] = isAged ? [aged, agedColumns] : [rows, columns];
  const left = rows.length > fewRows ? spareColumns(shown, kept, spare) : [];
  showTable(
    shown,
    kept.filter((name) => !left.includes(name)),
  );
  print(`${rows.length} ${rows.length === 1 ? "row" : "rows"}`);
  const missing = [...(isAged && time !== undefined ? [time] : []), ...left];
  if (missing.length > 0) {
    printText(`no room for ${missing.map(titleOf).join(" and ")} in ${terminalWidth()} columns: --json has all`);
  }
}

/** The column that stands for a time. */
export const ageColumn = "age";

/** True if the terminal has no room for all of these columns. */
export function needsAge(rows: readonly Row[], columns: readonly string[]): boolean {
  return terminalWidth() !== undefined && !fitsNarrow(rows, wrapping(rows, columns));
}

/** A row with how old its time is. */
export function withAge(row: Row, time: string): Row {
  const seconds = Math.round((Date.now() - Date.parse(cellIn(row, time))) / 1000);
  if (Number.isNaN(seconds)) return row;
  return { ...row, [ageColumn]: seconds < 0 ? `${ageText(-seconds)} ahead` : ageText(seconds) };
}

/** So many rows may have a line for each of their values. */
const fewRows = 2;

/** The first of the spare columns without which the table fits the terminal; none if it never does, or in a pipe. */
export function spareColumns(
  rows: readonly Row[],
  columns: readonly string[],
  spare: readonly string[],
): readonly string[] {
  if (terminalWidth() === undefined) return [];
  const counts = Array.from({ length: spare.length + 1 }, (_, count) => count);
  const fits = (count: number): boolean => {
    const left = spare.slice(0, count);
    return fitsNarrow(
      rows,
      wrapping(
        rows,
        columns.filter((name) => !left.includes(name)),
      ),
    );
  };
  return spare.slice(0, counts.find(fits) ?? 0);
}

/** Prints rows as a table of the given columns. On a terminal that is too narrow, long texts go on in the next line. */
export function showTable(rows: readonly Row[], columns: readonly string[]): void {
  const width = terminalWidth();
  if (width === undefined) print(plainTable(rows, columns));
  else printRows(rows, wrapping(rows, columns), width);
}

/** The first of the metrics with which a table fits the terminal; all of them in a pipe.
 *  @param columnsOf the table's columns with some of the metrics */
export function fittingMetrics(
  rows: readonly Row[],
  metrics: readonly string[],
  columnsOf: (shown: readonly string[]) => readonly string[],
): readonly string[] {
  let count = metrics.length;
  const fits = (): boolean => fitsNarrow(rows, wrapping(rows, columnsOf(metrics.slice(0, count))));
  while (terminalWidth() !== undefined && count > 1 && !fits()) count -= 1;
  return metrics.slice(0, count);
}

/** Columns of words and of hosts wrap; a uuid stays whole, so that it can be copied. */
function wrapping(rows: readonly Row[], columns: readonly string[]) {
  return columns.map((name) => ({
    name,
    wraps: name === "hostname" || rows.some((row) => /[ ,/]/.test(cellIn(row, name))),
  }));
}
