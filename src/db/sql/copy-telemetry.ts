import type { SqlTransaction } from "../client.ts";
import { numberText, withoutNul } from "./array-literal.ts";
import type { TelemetryColumns } from "./upsert-telemetry.ts";

/** Stores records that are all new, several times as fast as an upsert.
 *  @returns false, with nothing stored, where the record of one (GPU, instant) is there already
 *  Source: https://www.postgresql.org/docs/17/sql-copy.html#SQL-COPY-FILE-FORMATS (text format) */
export function copyTelemetry(transaction: SqlTransaction, columns: TelemetryColumns): Promise<boolean> {
  const { gpuKeys, timesMs, metrics, custom, workloads } = columns;
  const instants = new Map<number, string>();
  const lines = new Array<string>(gpuKeys.length);
  for (let row = 0; row < lines.length; row += 1) {
    const timeMs = timesMs[row] as number;
    let instant = instants.get(timeMs);
    if (instant === undefined) instants.set(timeMs, (instant = instantText(timeMs)));
    let line = `${gpuKeys[row]}\t${instant}`;
    for (const { values } of metrics) line += `\t${metricText(values[row] as number)}`;
    const { container, pod, namespace } = workloads[row] as TelemetryColumns["workloads"][number];
    line += `\t${fieldText(custom[row])}\t${fieldText(container)}\t${fieldText(pod)}\t${fieldText(namespace)}\n`;
    lines[row] = line;
  }
  const names = metrics.map(({ name }) => `"${name}", `).join("");
  return transaction.copy(`telemetry (gpu_key, time, ${names}custom, container, pod, namespace)`, lines.join(""));
}

/** Beyond the years that a Date has, PostgreSQL says itself what is wrong. */
function instantText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `${timeMs} ms` : date.toISOString();
}

/** NaN is a metric without a value. */
function metricText(value: number): string {
  return value === value ? numberText(value) : "\\N";
}

/** Empty or undefined is no value. */
function fieldText(value: string | undefined): string {
  if (value === undefined || value === "") return "\\N";
  return withoutNul(value).replace(/[\\\t\n\r]/g, (character) => escapes[character as keyof typeof escapes]);
}

const escapes = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" } as const;
