import { quoted } from "../../../domain/cut-text.ts";
import { meantMetric } from "../own-metrics.ts";

/** What a table without any metric lacks. */
export const aMetric = "metric_name and value (or at least one metric column)";

/** What other programs call the columns that every table needs. */
const usualNames: Readonly<Record<string, readonly string[]>> = {
  timestamp: ["date", "datetime", "ts"],
  gpu_id: ["id", "deviceid", "gpunumber"],
  uuid: ["serial", "gpuserial"],
  hostname: ["host", "node", "nodename", "server", "instance", "machine"],
};

/** Which of the columns may be those that are missing, in brackets; empty if none looks so.
 *  @param normalName gives all spellings of a name the same text */
export function meantNames(
  header: readonly string[],
  missing: readonly string[],
  normalName: (name: string) => string,
): string {
  const meant = missing.flatMap((name) => {
    if (name === aMetric) return misspelledIn(header);
    const found = header.find((other) => usualNames[name]?.includes(normalName(other)));
    return found === undefined ? [] : [`${name} may be ${quoted(found)}`];
  });
  return meant.length === 0 ? "" : ` (${meant.join(", ")})`;
}

function misspelledIn(header: readonly string[]): string[] {
  return header.flatMap((name) => {
    const meant = meantMetric(name);
    return meant === undefined ? [] : [`${quoted(name)} may be ${meant}`];
  });
}
