import { metricNames } from "../../domain/metrics.ts";
import { JoinedRows, joinedRows } from "./joined-rows.ts";
import type { RecordRow } from "./select-records.ts";

const texts = ["container", "pod", "namespace"] as const;

/** An SQL expression for all rows of telemetry `t` of a query, as one value; NULL if there are none. */
export const joinedRecords = joinedRows([
  ...["t.gpu_key::float8", "extract(epoch from t.time)::float8 * 1000"],
  ...metricNames.map((name) => `t."${name}"`),
  ...["t.custom::text", ...texts.map((name) => `t.${name}`), "t.occupants::text"],
]);

/** Reads what `joinedRecords` gave. A metric without a value is absent. */
export function readJoinedRecords(sent: Uint8Array | null): RecordRow[] {
  const records: RecordRow[] = [];
  for (const rows = new JoinedRows(sent ?? new Uint8Array()); rows.next();) {
    const [gpuKey, timeMs] = [rows.float8(), Math.round(rows.float8())];
    const metrics: Record<string, number> = {};
    for (const name of metricNames) {
      const value = rows.float8OrNull();
      if (value !== null) metrics[name] = value;
    }
    const custom = rows.json() as RecordRow["custom"];
    const [container, pod, namespace] = [rows.text(), rows.text(), rows.text()];
    const occupants = rows.json() as RecordRow["occupants"];
    records.push({ ...metrics, gpuKey, timeMs, custom, container, pod, namespace, occupants });
  }
  return records;
}
