import type { RecordBatch } from "../batch.ts";
import { metricIndexOf } from "../metrics.ts";
import { judgeNumber } from "../value-text.ts";
import { keepRecords } from "./keep-records.ts";

/** @returns a copy of the batch without the values that mean 'no value', and without the records that have only such values;
 *  its tally counts these values as missing */
export function withoutBlanks(batch: RecordBatch): RecordBatch {
  const blanksOf = new Map<number, number>();
  const isBlank = (metric: number | string, value: number, record: number): boolean => {
    if (judgeNumber(metric, value) !== "missing") return false;
    blanksOf.set(record, (blanksOf.get(record) ?? 0) + 1);
    return true;
  };
  const columns = new Map<string, Float64Array>();
  for (const [name, column] of batch.columns) {
    const metric = metricIndexOf(name) ?? name;
    columns.set(
      name,
      column.map((value, record) => (value === value && isBlank(metric, value, record) ? NaN : value)),
    );
  }
  const custom = batch.custom.filter(({ record, metric, value }) => !isBlank(metric, value, record));
  const withValues = new Set(custom.map(({ record }) => record));
  for (const column of columns.values()) {
    for (const record of blanksOf.keys()) if (!Number.isNaN(column[record])) withValues.add(record);
  }
  const cleaned = keepRecords(
    { ...batch, columns, custom },
    { keep: (record) => !blanksOf.has(record) || withValues.has(record), rejected: [] },
  );
  const missing = [...blanksOf.values()].reduce((sum, count) => sum + count, batch.tally.missing);
  return { ...cleaned, tally: { ...cleaned.tally, missing } };
}
