import type { SqlExecutor } from "../../../../db/client.ts";
import { selectGpusOfBlocks } from "../../../../db/sql/packed-blocks.ts";
import { hoursAround, type StoredUsageDay } from "../../../../db/sql/usage-days.ts";
import { readDeviceDays } from "../../../../db/sql/usage-device-days.ts";
import { selectUsage } from "../../../../db/sql/usage-hours.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { dayMs, dayOf } from "../../../../domain/time-range.ts";
import { formatTimestamp } from "../../../../domain/timestamp.ts";
import { dayFigures, type UsageDayEntry } from "../../../../domain/usage/usage-day.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { faultOf } from "../repair-step.ts";
import { addUpDay, type DevicesOfHosts, entryKeyOf, sumsOfPlaces } from "./day-entries.ts";
import type { MarkedFleet } from "./fleet-mark.ts";
import { decodeDeviceDays, decodeUsageDay } from "./stored-days.ts";

// Finds what is wrong with a day of usage whose hours are settled: every column is compared with what its hours give.

/** What a day is: `right`, also if collectors make it again anyhow; `wrong`, its hours are to be trusted; `kept`, it is to be trusted itself;
 *  `unknown`, its hours cannot be read. The problems are sentences without full stops. */
export interface DayFinding {
  readonly state: "right" | "wrong" | "kept" | "unknown";
  readonly problems: readonly string[];
}

/** What a day is compared by. */
export interface DayOptions extends MarkedFleet {
  readonly thresholds: UsageThresholds;
}

/** The name of a day in messages. */
export const nameOfDay = (day: number): string => `the day of usage from ${formatTimestamp(day)}`;

/** Compares a stored day with its hours. */
export async function findDay(executor: SqlExecutor, stored: StoredUsageDay, options: DayOptions): Promise<DayFinding> {
  const { day } = stored;
  const name = nameOfDay(day);
  if (day !== dayOf(day)) return wrong(`${name} does not begin with a day; rebuild-day deletes it`);
  const isInForce = stored.fleet === options.marks.of(day);
  const found = await readDay(executor, stored);
  if (found.problems.length > 0) return isInForce ? wrong(...found.problems) : right;
  try {
    const made = await addUpDay(executor, { fromMs: day, toMs: day + dayMs }, options);
    const isSum = areSame(found.entries, made.entries) && areSame(found.ofDevices, entriesOf(made.ofDevices));
    if (isSum && found.others === othersOf(made)) {
      if (isInForce) return right;
      return wrong(`${name} is the sum of its hours, but does not count: its fleet is wrong; rebuild-day corrects it`);
    }
    // the devices have changed since it was made
    if (!isInForce) return right;
    if (isSum)
      return wrong(`what ${name} says besides the sums (${otherColumns}) is wrong: rebuild-day trusts its hours`);
    return await compared(executor, { day, name, found, made });
  } catch (error) {
    if (!(error instanceof UndecodableBlock)) throw error;
    return { state: "unknown", problems: [`${name} cannot be compared: ${error.message}`] };
  }
}

const right: DayFinding = { state: "right", problems: [] };
const wrong = (...problems: string[]): DayFinding => ({ state: "wrong", problems });
const otherColumns = "entries, devices, held, first_host, last_host";

interface ReadDay {
  /** Why its rows cannot be read. */
  readonly problems: readonly string[];
  /** By holder and place, and by device. */
  readonly entries: readonly UsageDayEntry[];
  readonly ofDevices: readonly UsageDayEntry[];
  readonly others: string;
}

async function readDay(executor: SqlExecutor, stored: StoredUsageDay): Promise<ReadDay> {
  const problems: string[] = [];
  const read = <T>(decode: () => T[]): T[] => {
    let decoded: T[] = [];
    problems.push(...faultOf(() => (decoded = decode())));
    return decoded;
  };
  const entries = read(() => decodeUsageDay(stored));
  const rows = (await readDeviceDays(executor, [stored.day], undefined)).flatMap((row) =>
    read(() => {
      const { known, entriesOf: entriesWith } = decodeDeviceDays(row);
      return [{ ...row, known, own: entriesWith(() => true) }];
    }),
  );
  const counts = [stored.entries, stored.devices];
  const ofRows = rows.map(({ firstHost, lastHost, known, ...row }) => ({
    ...{ firstHost, lastHost, known },
    counts: [row.entries, row.devices],
  }));
  return { problems, entries, ofDevices: rows.flatMap(({ own }) => own), others: textOf(counts, ofRows) };
}

const entriesOf = (rows: readonly DevicesOfHosts[]): UsageDayEntry[] => rows.flatMap(({ entries }) => entries);

function othersOf({ entries, ofDevices }: Awaited<ReturnType<typeof addUpDay>>): string {
  const counts = [entries.length, entries.reduce((sum, { deviceKeys }) => sum + deviceKeys.length, 0)];
  const ofRows = ofDevices.map((row) => ({ ...row, counts: [row.entries.length, row.known.length] }));
  return textOf(counts, ofRows);
}

/** All but the sums, as a text. */
function textOf(
  counts: readonly number[],
  rows: readonly (Pick<DevicesOfHosts, "firstHost" | "lastHost" | "known"> & { readonly counts: readonly number[] })[],
): string {
  const texts = rows.map(({ firstHost, lastHost, known, counts: ofRow }) => {
    const devices = known.map(({ gpuKey, isInEach, namespaces }) => [gpuKey, isInEach, namespaces]);
    return JSON.stringify([firstHost, lastHost, ofRow, devices]);
  });
  return [JSON.stringify(counts), ...texts.sort()].join("\n");
}

/** Decides which is wrong: a day, or one of its hours. What a day has by place was stored besides what it has by device. */
async function compared(
  executor: SqlExecutor,
  {
    day,
    name,
    found,
    made,
  }: {
    readonly day: number;
    readonly name: string;
    readonly found: ReadDay;
    readonly made: Awaited<ReturnType<typeof addUpDay>>;
  },
): Promise<DayFinding> {
  const isNot = `${name} is not the sum of its hours`;
  if (!areSame(found.entries, sumsOfPlaces(found.ofDevices))) {
    return wrong(
      `${isNot}, nor does what it has by host agree with what it has by device: rebuild-day trusts its hours`,
    );
  }
  if (knownParts(found.entries) > knownParts(made.entries)) {
    return { state: "kept", problems: [`${name} has more than its hours, of which some were lost: the day counts`] };
  }
  if (await haveBlocks(executor, day)) {
    return wrong(`${isNot}: rebuild-day trusts these, because they are what their blocks give, or are named above`);
  }
  const why = "what it has by host agrees with what it has by device, and records of its hours were deleted";
  return {
    state: "kept",
    problems: [`${isNot}: one of these is wrong, and cannot be made again; the day counts, because ${why}`],
  };
}

/** True if all usage of a day's hours can be compared with blocks. */
async function haveBlocks(executor: SqlExecutor, day: number): Promise<boolean> {
  const { stored } = await selectUsage(executor, hoursAround(day), undefined);
  for (const [hour, rows] of Map.groupBy(stored, (row) => row.hour)) {
    const devices = rows.reduce((sum, row) => sum + row.devices, 0);
    if ((await selectGpusOfBlocks(executor, hour)).length < devices) return false;
  }
  return true;
}

function areSame(found: readonly UsageDayEntry[], made: readonly UsageDayEntry[]): boolean {
  if (found.length !== made.length) return false;
  const keyOf = ({ who, where, deviceKeys }: UsageDayEntry) => JSON.stringify([entryKeyOf(who, where), deviceKeys]);
  const ofKeys = new Map(made.map((entry) => [keyOf(entry), entry.figures]));
  return found.every((entry) => {
    const figures = ofKeys.get(keyOf(entry));
    return figures !== undefined && dayFigures.every((name) => isClose(entry.figures[name], figures[name]));
  });
}

/** Sums of doubles depend on their order. */
function isClose(found = NaN, made = NaN): boolean {
  return Object.is(found, made) || Math.abs(found - made) <= 0.01 + Math.abs(made) * 1e-9;
}

function knownParts(entries: readonly UsageDayEntry[]): number {
  return entries.reduce((sum, { who, figures }) => sum + (who.state === "unknown" ? 0 : (figures["parts"] ?? 0)), 0);
}
