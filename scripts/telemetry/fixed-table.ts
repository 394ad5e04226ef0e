import Table from "cli-table3";

/** A column of a fixed width, in characters. */
export interface FixedColumn {
  readonly title: string;
  readonly width: number;
  readonly align: "left" | "right";
}

/** The narrowest that a column of texts becomes. */
const minWidth = 8;

/** An empty table of columns with fixed widths. A text that is wider than its column goes on in the next line.
 *  @param maxWidth the terminal's width: on a narrower one, the columns of texts are narrower; undefined in a pipe */
export function fixedTable(fixed: readonly FixedColumn[], maxWidth: number | undefined) {
  const columns: { -readonly [Key in keyof FixedColumn]: FixedColumn[Key] }[] = fixed.map((column) => ({ ...column }));
  const width = (): number => columns.reduce((sum, column) => sum + column.width + 1, 1);
  while (maxWidth !== undefined && width() > maxWidth) {
    const texts = columns.filter(({ align, width: own }) => align === "left" && own > minWidth);
    const widest = texts.toSorted((a, b) => b.width - a.width)[0];
    if (widest === undefined) break;
    widest.width -= 1;
  }
  return new Table({
    head: columns.map(({ title }) => title),
    colWidths: columns.map(({ width }) => width),
    colAligns: columns.map(({ align }) => align),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
    wordWrap: true,
    wrapOnWordBoundary: false,
  });
}
