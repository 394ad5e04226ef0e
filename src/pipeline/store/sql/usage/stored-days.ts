import type { SqlExecutor } from "../../../../db/client.ts";
import { decodeNamed } from "../../../../db/named-block.ts";
import {
  hoursAround,
  readUsageDays,
  selectOpenHours,
  selectUsageDays,
  type StoredUsageDay,
} from "../../../../db/sql/usage-days.ts";
import { readDeviceDays, type StoredDeviceDays } from "../../../../db/sql/usage-device-days.ts";
import { dayMs, dayOf, hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { type IsWanted, type KnownHours, unpackDeviceDays } from "../../../../domain/usage/device-day.ts";
import { unpackUsageDay, type UsageDayEntry } from "../../../../domain/usage/usage-day.ts";
import { FleetMarks } from "./fleet-mark.ts";
import type { GpuFamily } from "./usage-fleet.ts";

/** So many days are in memory at a time. */
const daysAtATime = 8;
/** The most keys that are looked for among the rows of a day; for more, all of them are read. */
const keysSought = 100;

/** The days within a range that are stored and hold, with their marks, in the order of time. */
export type HoldingDays = ReadonlyMap<number, string>;

/** Finds the days within a range that hold. @param families all of the fleet */
export async function selectHoldingDays(
  executor: SqlExecutor,
  range: TimeRange,
  families: readonly GpuFamily[],
): Promise<HoldingDays> {
  const whole = {
    fromMs: Math.ceil(range.fromMs / dayMs) * dayMs,
    // whole hours that begin in the range
    toMs: dayOf(Math.ceil(range.toMs / hourMs) * hourMs),
  };
  if (whole.fromMs >= whole.toMs) return new Map();
  const days = await selectUsageDays(executor, whole);
  if (days.size === 0) return days;
  const marks = new FleetMarks(families);
  const open = await selectOpenHours(executor, { fromMs: whole.fromMs - hourMs, toMs: whole.toMs + hourMs });
  const holding = [...days].filter(([day, mark]) => !isOpen(day, open) && mark === marks.of(day));
  return new Map(holding.sort(([a], [b]) => a - b));
}

/** True if records may still change a day. */
export function isOpen(day: number, openHours: readonly number[]): boolean {
  const { fromMs, toMs } = hoursAround(day);
  return openHours.some((hour) => hour >= fromMs && hour < toMs);
}

/** Reads what holders had on days, in the order of time; days that were made again or deleted meanwhile may be missing. */
export async function* storedDays(
  executor: SqlExecutor,
  days: HoldingDays,
): AsyncGenerator<{ readonly day: number; readonly entries: readonly UsageDayEntry[] }, void, undefined> {
  for (const some of inSteps(days)) {
    for (const stored of await readUsageDays(executor, some)) {
      if (stored.fleet === days.get(stored.day)) yield { day: stored.day, entries: decodeUsageDay(stored) };
    }
  }
}

/** What devices were used for on a day. */
export interface DevicesOfDay {
  readonly day: number;
  readonly known: readonly KnownHours[];
  readonly entriesOf: (isWanted: IsWanted) => UsageDayEntry[];
}

/** Reads what devices were used for on days, as `storedDays`. @param hostKeys those of all places of the devices */
export async function* storedDeviceDays(
  executor: SqlExecutor,
  days: HoldingDays,
  hostKeys: ReadonlySet<number>,
): AsyncGenerator<DevicesOfDay, void, undefined> {
  const sought = hostKeys.size > keysSought ? undefined : [...hostKeys];
  for (const some of inSteps(days)) {
    const rows = (await readDeviceDays(executor, some, sought)).filter(({ day, fleet }) => fleet === days.get(day));
    for (const [day, ofDay] of Map.groupBy(rows, (row) => row.day)) {
      const parts = ofDay.map(decodeDeviceDays);
      const entriesOf = (isWanted: IsWanted) => parts.flatMap((part) => part.entriesOf(isWanted));
      yield { day, known: parts.flatMap(({ known }) => known), entriesOf };
    }
  }
}

function* inSteps(days: HoldingDays): Generator<number[], void, undefined> {
  const all = [...days.keys()];
  for (let at = 0; at < all.length; at += daysAtATime) yield all.slice(at, at + daysAtATime);
}

/** Decodes a day. @throws UndecodableBlock, which names it */
export function decodeUsageDay(stored: StoredUsageDay): UsageDayEntry[] {
  return decodeNamed(
    () => `the row of usage_days from ${new Date(stored.day).toISOString()}`,
    () => unpackUsageDay(stored, stored.day),
  );
}

/** Decodes a day of devices. @throws UndecodableBlock, which names it; so does `entriesOf` */
export function decodeDeviceDays(stored: StoredDeviceDays): ReturnType<typeof unpackDeviceDays> {
  const { day, firstHost } = stored;
  const name = () => `the row of usage_device_days with first_host ${firstHost} from ${new Date(day).toISOString()}`;
  const { known, entriesOf } = decodeNamed(name, () => unpackDeviceDays(stored, day));
  return { known, entriesOf: (isWanted) => decodeNamed(name, () => entriesOf(isWanted)) };
}
