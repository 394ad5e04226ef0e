import type { TObject } from "@sinclair/typebox";
import { metrics } from "../../../domain/metrics.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import { hostSchema } from "../../schemas/hierarchy.ts";
import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";

const metricNames: ReadonlySet<string> = new Set(metrics.map(({ name }) => name));

/** An element of a list, as CSV and NDJSON write it. */
export type Row = Readonly<Record<string, unknown>>;

/** The columns of GPUs and of hosts, in the order of their schemas' fields. */
export const gpuColumns = fieldsOf(gpuSchema);
export const hostColumns = fieldsOf(hostSchema);

/** The columns of records.
 *  @param names the metrics that the request names; undefined for all */
export function recordColumns(names: readonly string[] | undefined): readonly string[] {
  const columns = fieldsOf(telemetryRecordSchema);
  return names === undefined ? columns : columns.filter((name) => !metricNames.has(name) || names.includes(name));
}

function fieldsOf(schema: TObject): readonly string[] {
  return Object.keys(schema.properties);
}
