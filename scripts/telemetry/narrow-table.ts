import Table from "cli-table3";
import { cellIn, type Row, titleOf } from "./output.ts";
import { print } from "../../src/terminal/print.ts";

/** A column of a table that fits the terminal. */
export interface NarrowColumn {
  readonly name: string;
  /** True for long texts, which go on in the next line. */
  readonly wraps?: boolean;
}

/** The width of tables in a pipe. */
const pipeWidth = 80;
/** The narrowest that a column with long texts becomes. */
const minWrappedWidth = 10;
const style = { head: [], border: [], compact: true };

/** The width of the terminal that standard output is; undefined in a pipe. */
export const terminalWidth = (): number | undefined => process.stdout.columns || undefined;

/** Prints rows as a table of the terminal's width, or of 80 characters in a pipe. */
export function printNarrow(rows: readonly Row[], columns: readonly NarrowColumn[]): void {
  printRows(rows, columns, terminalWidth() ?? pipeWidth);
}

/** Prints rows as `fittedText` has them. */
export function printRows(rows: readonly Row[], columns: readonly NarrowColumn[], maxWidth: number): void {
  print(fittedText(rows, columns, maxWidth));
}

/** Rows as a table of at most this width; if the columns that do not wrap need more, a line for each value of a row. */
export function fittedText(rows: readonly Row[], columns: readonly NarrowColumn[], maxWidth: number): string {
  if (tableWidth(columns.map((column) => leastWidth(rows, column))) > maxWidth) return listed(rows, columns, maxWidth);
  const table = new Table({ head: columns.map(({ name }) => headOf(name)), style });
  const widths = wrappedWidths(rows, columns, maxWidth);
  for (const row of rows) {
    table.push(
      columns.map(({ name }) => {
        const [text, width] = [cellIn(row, name), widths.get(name)];
        return width === undefined ? text : wrapped(text, width).join("\n");
      }),
    );
  }
  return table.toString();
}

/** Rows as a table, however wide it is. */
export function plainTable(rows: readonly Row[], columns: readonly string[]): string {
  const table = new Table({ head: columns.map(titleOf), style });
  for (const row of rows) table.push(columns.map((name) => cellIn(row, name)));
  return table.toString();
}

/** True if a table with these columns fits the terminal, or has at most 80 characters in a pipe. */
export function fitsNarrow(rows: readonly Row[], columns: readonly NarrowColumn[]): boolean {
  return tableWidth(columns.map((column) => leastWidth(rows, column))) <= (terminalWidth() ?? pipeWidth);
}

/** A text in lines of at most this width, between words where possible. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ").flatMap((each) => chunks(each, width))) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Each value of each row in a line, with an empty line between rows. Empty values have no line, except the first, by which a row is known. */
function listed(rows: readonly Row[], columns: readonly NarrowColumn[], maxWidth: number): string {
  const nameWidth = Math.max(...columns.map(({ name }) => titleOf(name).length));
  const indent = " ".repeat(nameWidth + 2);
  const blocks = rows.map((row) =>
    columns
      .map(({ name }) => [titleOf(name), cellIn(row, name)] as const)
      .filter(([, text], index) => text !== "" || index === 0)
      .map(([name, text]) => {
        const lines = wrapped(text === "" ? "-" : text, Math.max(minWrappedWidth, maxWidth - indent.length));
        return `${name.padEnd(nameWidth)}  ${lines.join(`\n${indent}`)}`;
      })
      .join("\n"),
  );
  return blocks.join("\n\n");
}

function chunks(word: string, width: number): string[] {
  const characters = [...word];
  const parts: string[] = [];
  for (let start = 0; start < characters.length; start += width) {
    parts.push(characters.slice(start, start + width).join(""));
  }
  return parts.length === 0 ? [""] : parts;
}

/** Narrows the widest of the columns that wrap until the table fits. */
function wrappedWidths(rows: readonly Row[], columns: readonly NarrowColumn[], maxWidth: number): Map<string, number> {
  const widths = columns.map(({ name }) => naturalWidth(rows, name));
  while (tableWidth(widths) > maxWidth) {
    const canShrink = columns.map((column, index) => column.wraps && (widths[index] ?? 0) > leastWidth(rows, column));
    const widest = Math.max(...widths.filter((_, index) => canShrink[index]));
    if (widest === -Infinity) break;
    widths[widths.findIndex((width, index) => canShrink[index] && width === widest)] = widest - 1;
  }
  return new Map(columns.flatMap(({ name, wraps }, index) => (wraps ? [[name, widths[index] ?? 0]] : [])));
}

function leastWidth(rows: readonly Row[], { name, wraps }: NarrowColumn): number {
  const natural = naturalWidth(rows, name);
  return wraps ? Math.min(natural, Math.max(minWrappedWidth, headWidth(name))) : natural;
}

function naturalWidth(rows: readonly Row[], name: string): number {
  return Math.max(headWidth(name), ...rows.map((row) => cellIn(row, name).length));
}

/** The words of a title, one a line. */
const headOf = (name: string): string => titleOf(name).replaceAll(" ", "\n");

const headWidth = (name: string): number =>
  Math.max(
    ...headOf(name)
      .split("\n")
      .map(({ length }) => length),
  );

/** The width with a border and a space on either side of each column. */
function tableWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + 3, 1);
}
