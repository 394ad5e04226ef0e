import Table from "cli-table3";

/** A column of a fixed width, in characters. */
export interface FixedColumn {
  readonly title: string;
  readonly width: number;
  readonly align: "left" | "right";
}

/** An empty table of columns with fixed widths. A text that is wider than its column goes on in the next line. */
export function fixedTable(columns: readonly FixedColumn[]) {
  return new Table({
    head: columns.map(({ title }) => title),
    colWidths: columns.map(({ width }) => width),
    colAligns: columns.map(({ align }) => align),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
    wordWrap: true,
    wrapOnWordBoundary: false,
  });
}
