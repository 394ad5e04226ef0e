import type { SqlTransaction } from "../client.ts";
import { withoutNul } from "./array-literal.ts";
import { CopyRows } from "./copy-rows.ts";
import { firstOccupantText, hasShared, sharedJson, type TelemetryColumns, workloadNames } from "./telemetry-columns.ts";

/** Stores records that are all new. This is several times as fast as an upsert.
 *  @returns false, with nothing stored, if a record of the same GPU and instant exists already */
export function copyTelemetry(transaction: SqlTransaction, columns: TelemetryColumns): Promise<boolean> {
  const { gpuKeys, timesMs, metrics, custom, occupants, attributesIds } = columns;
  if (gpuKeys.length === 0) return Promise.resolve(true);
  const hasCustom = custom.some((value) => value !== undefined);
  const workloadParts = workloadNames.filter((name) => occupants.some((set) => firstOccupantText(set, name)));
  const isShared = hasShared(occupants);
  const metricNames = metrics.map(({ name }) => name);
  const names = [
    ...["gpu_key", "time", "attributes_id", ...metricNames, ...(hasCustom ? ["custom"] : []), ...workloadParts],
    ...(isShared ? ["occupants"] : []),
  ];
  const fieldTexts = new FieldTexts();
  const rows = new CopyRows(gpuKeys.length * (names.length * 12 + 2) + 64);
  for (let row = 0; row < gpuKeys.length; row += 1) {
    rows.row(names.length);
    rows.int8(gpuKeys[row] as number);
    rows.timestamptz(timesMs[row] as number);
    rows.int8(attributesIds[row] as number);
    for (const { values } of metrics) rows.float8(values[row] as number);
    if (hasCustom) rows.jsonb(fieldTexts.bytesOf(custom[row]));
    for (const name of workloadParts) rows.text(fieldTexts.bytesOf(occupants[row]?.[0]?.[name]));
    if (isShared) rows.jsonb(fieldTexts.bytesOf(sharedJson(occupants[row])));
  }
  return transaction.copy(`telemetry (${names.map((name) => `"${name}"`).join(", ")})`, rows.end());
}

/** Texts as bytes, cached: most texts are the same as in the previous record. */
class FieldTexts {
  private readonly cached = new Map<string, Uint8Array>();

  /** @returns undefined (no value) for an empty or undefined text */
  bytesOf(text: string | undefined): Uint8Array | undefined {
    if (text === undefined || text === "") return undefined;
    let bytes = this.cached.get(text);
    if (bytes === undefined) this.cached.set(text, (bytes = Buffer.from(withoutNul(text))));
    return bytes;
  }
}
