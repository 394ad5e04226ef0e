interface SortHeaderOptions<Key extends string> {
  readonly columns: readonly (readonly [key: Key, label: string])[];
  readonly sort: { readonly key: Key; readonly isDescending: boolean };
  readonly onSort: (key: Key) => void;
}

/** The headers of columns by which a table can be sorted. */
export function SortHeaders<Key extends string>({ columns, sort, onSort }: SortHeaderOptions<Key>) {
  return (
    <>
      {columns.map(([key, label]) => (
        <th
          key={key}
          scope="col"
          class={key}
          aria-sort={sort.key !== key ? "none" : sort.isDescending ? "descending" : "ascending"}
        >
          <button type="button" onClick={() => onSort(key)}>
            {label}
            <span aria-hidden="true">{sort.key !== key ? "" : sort.isDescending ? " ▼" : " ▲"}</span>
          </button>
        </th>
      ))}
    </>
  );
}
