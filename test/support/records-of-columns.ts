import { byPlace } from "../../src/domain/gpu.ts";
import type {
  ColumnsCursor,
  ColumnsFilter,
  HistoryCursor,
  StoredColumns,
  StoredRecord,
} from "../../src/domain/query.ts";
import type { HistoryQueries } from "../../src/pipeline/store/telemetry-queries.ts";

/** All records that match a filter, read as columns, in the order in which `records` returns them. */
export async function recordsOfColumns(
  history: Pick<HistoryQueries, "columns">,
  filter: ColumnsFilter,
): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  let cursor: ColumnsCursor | undefined;
  do {
    const page = await history.columns({ ...filter, ...(cursor === undefined ? {} : { cursor }) });
    records.push(...page.elements.flatMap(toRecords));
    cursor = page.next;
  } while (cursor !== undefined);
  return records.sort((a, b) => a.timeMs - b.timeMs || byPlace(a.gpu, b.gpu));
}

/** The same records, read with all of their values. */
export async function wholeRecords(
  history: Pick<HistoryQueries, "records">,
  { gpus, range, metrics }: ColumnsFilter,
): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  let cursor: HistoryCursor | undefined;
  do {
    const filter = { gpus, range, limit: 100, isForward: true };
    const page = await history.records({ ...filter, ...(cursor === undefined ? {} : { cursor }) });
    records.push(...page.elements);
    cursor = page.next;
  } while (cursor !== undefined);
  return records
    .map((record) => ({ ...record, metrics: chosen(record.metrics, metrics) }))
    .sort((a, b) => a.timeMs - b.timeMs || byPlace(a.gpu, b.gpu));
}

function chosen(values: StoredRecord["metrics"], metrics: readonly string[]): StoredRecord["metrics"] {
  return Object.fromEntries(Object.entries(values).filter(([name]) => metrics.includes(name)));
}

function toRecords({ gpu, occupants, timesMs, metrics, custom }: StoredColumns): StoredRecord[] {
  const at = (columns: StoredColumns["metrics"], index: number): Record<string, number> =>
    Object.fromEntries(
      Object.entries(columns).flatMap(([name, { [index]: value = NaN }]) =>
        Number.isNaN(value) ? [] : [[name, value]],
      ),
    );
  return Array.from(timesMs, (timeMs, index) => ({
    ...{ gpu, occupants, timeMs },
    ...{ metrics: at(metrics, index), custom: at(custom, index) },
  }));
}
