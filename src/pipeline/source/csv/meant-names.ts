import { quoted } from "../../../domain/cut-text.ts";

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
    const found = header.find((other) => usualNames[name]?.includes(normalName(other)));
    return found === undefined ? [] : [`${name} may be ${quoted(found)}`];
  });
  return meant.length === 0 ? "" : ` (${meant.join(", ")})`;
}
