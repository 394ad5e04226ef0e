import { metricNames } from "../../domain/metrics.ts";
import { epochMs } from "./epoch-ms.ts";
import { field, JoinedRows, joinedRows } from "./joined-rows.ts";
import type { RecordRow } from "./select-records.ts";

/** An SQL expression for all rows of telemetry `t` of a query, as one value; NULL if there are none. */
export const joinedRecords = joinedRows(
  [
    ...["t.gpu_key", epochMs("t.time")].map(field.float8),
    ...["t.custom::text", "t.container", "t.pod", "t.namespace", "t.occupants::text"].map(field.text),
  ],
  metricNames.map((name) => `t."${name}"`),
);

/** Reads what `joinedRecords` gave. A metric without a value is absent. */
export function readJoinedRecords(sent: Uint8Array | null): RecordRow[] {
  const records: RecordRow[] = [];
  for (const rows = new JoinedRows(sent ?? new Uint8Array()); rows.next();) {
    const record: RecordRow & Record<string, unknown> = {
      gpuKey: rows.float8(),
      timeMs: Math.round(rows.float8()),
      custom: rows.json() as RecordRow["custom"],
      container: rows.text(),
      pod: rows.text(),
      namespace: rows.text(),
      occupants: rows.json() as RecordRow["occupants"],
    };
    rows.toNumbers();
    for (const name of metricNames) {
      const value = rows.float8OrNull();
      if (value !== null) record[name] = value;
    }
    records.push(record);
  }
  return records;
}
