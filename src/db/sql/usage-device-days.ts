import type { PackedDeviceDays } from "../../domain/usage/device-day.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { CopyRows } from "./copy-rows.ts";
import { epochMs } from "./epoch-ms.ts";

/** A day of some devices as it is stored. */
export interface StoredDeviceDays extends PackedDeviceDays {
  readonly day: number;
  /** The least and the greatest key of its hosts. */
  readonly firstHost: number;
  readonly lastHost: number;
}

const names = ["from_at", "first_host", "last_host", "entries", "devices", "columns", "names", "held"];

/** Stores a day of devices. The day itself must be stored. @throws Error if there is some of the same day and first host */
export async function copyDeviceDays(transaction: SqlTransaction, days: readonly StoredDeviceDays[]): Promise<void> {
  if (days.length === 0) return;
  const rows = new CopyRows(days.reduce((sum, { columns }) => sum + columns.length + 16_384, 0));
  for (const stored of days) {
    rows.row(names.length);
    rows.timestamptz(stored.day);
    rows.int8(stored.firstHost);
    rows.int8(stored.lastHost);
    rows.int4(stored.entries);
    rows.int4(stored.devices);
    rows.bytea(stored.columns);
    rows.text(Buffer.from(stored.names));
    rows.text(Buffer.from(stored.held));
  }
  const isAdded = await transaction.copy(`usage_device_days (${names.join(", ")})`, rows.end());
  if (!isAdded) throw new Error(`devices of ${new Date(days[0]?.day ?? NaN).toISOString()} exist already`);
}

/** Reads days of devices, in the order of time; those that were deleted meanwhile are missing.
 *  @param hostKeys undefined: those of all hosts
 *  @returns with `fleet` as the day has it */
export function readDeviceDays(
  executor: SqlExecutor,
  days: readonly number[],
  hostKeys: readonly number[] | undefined,
): Promise<(StoredDeviceDays & { readonly fleet: string })[]> {
  const ofKeys =
    hostKeys === undefined
      ? ""
      : "and exists (select from unnest($2::text::int8[]) k where k between d.first_host and d.last_host)";
  const text = `
select ${epochMs("d.from_at")} as day, u.fleet, d.first_host::float8 as "firstHost", d.last_host::float8 as "lastHost", d.entries, d.devices,
  d.columns, d.names::text as names, d.held::text as held
from usage_device_days d join usage_days u using (from_at)
where d.from_at in (select to_timestamp(t / 1000.0) from unnest($1::text::float8[]) t) ${ofKeys} order by d.from_at, d.first_host`;
  return executor.query(text, [numberArray(days), ...(hostKeys === undefined ? [] : [numberArray(hostKeys)])]);
}
