import type { ComponentChildren } from "preact";

interface DataTableOptions<Row> {
  readonly id: string;
  readonly title: string;
  /** Undefined: not read yet. */
  readonly rows: readonly Row[] | undefined;
  /** Why the rows cannot be read now. */
  readonly problem: string | undefined;
  /** What it means that there is no row. */
  readonly empty: string;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  /** What stands between the title and the table. */
  readonly children?: ComponentChildren;
}

/** A column of a table: its header, and the content of its cells. */
export type Column<Row> = readonly [header: string, cell: (row: Row) => ComponentChildren];

/** A part of the pipeline as a table. The first column names the row. */
export function DataTable<Row>(options: DataTableOptions<Row>) {
  const { id, title, rows, problem, empty, children } = options;
  return (
    <section class="part" data-part={id} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{title}</h2>
      {children}
      {problem !== undefined && (
        <p class="problem" role="status">
          {rows === undefined ? "This cannot be read" : "This is the state of before"}: {problem}
        </p>
      )}
      {rows?.length === 0 && <p class="empty">{empty}</p>}
      {rows !== undefined && rows.length > 0 && <Rows {...options} rows={rows} />}
    </section>
  );
}

function Rows<Row>({ id, rows, columns, keyOf }: DataTableOptions<Row> & { readonly rows: readonly Row[] }) {
  return (
    <div class="scroller" role="region" aria-labelledby={`${id}-title`} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(([header]) => (
              <th key={header} scope="col">
                {header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} data-row={keyOf(row)}>
              {columns.map(([header, cell], index) =>
                index === 0 ? (
                  <th key={header} scope="row">
                    {cell(row)}
                  </th>
                ) : (
                  <td key={header}>{cell(row)}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
