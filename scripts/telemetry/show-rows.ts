import { print, printError, printText } from "../../src/terminal/print.ts";
import { fitsNarrow, plainTable, printRows, terminalWidth } from "./narrow-table.ts";
import { cellIn, type Output, type Row, titleOf } from "./output.ts";

/** How rows are shown. */
export interface ShowOptions extends Pick<Output, "asJson"> {
  readonly next?: string | undefined;
  /** Columns that a terminal may be too narrow for, those that are left out first at the beginning. */
  readonly spare?: readonly string[];
}

/** Prints rows as a table of the given columns, or as JSON with all fields. Reports on standard error if the list has more rows. On a
 *  terminal that is too narrow, long texts go on in the next line.
 *  @param next the cursor of the list's next page; absent if there is none */
export function showRows(rows: readonly Row[], columns: readonly string[], options: ShowOptions): void {
  const { asJson, next, spare = [] } = options;
  if (next !== undefined) printError(`the list has more rows: raise --limit (up to 10000) to see them`);
  if (asJson) return print(JSON.stringify(rows, null, 2));
  const left = rows.length > fewRows ? spareColumns(rows, columns, spare) : [];
  showTable(
    rows,
    columns.filter((name) => !left.includes(name)),
  );
  print(`${rows.length} ${rows.length === 1 ? "row" : "rows"}`);
  if (left.length > 0) {
    printText(`no room for ${left.map(titleOf).join(" and ")} in ${terminalWidth()} columns: --json has all`);
  }
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
