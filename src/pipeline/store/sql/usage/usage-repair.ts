import type { SqlClient, SqlExecutor, SqlTransaction } from "../../../../db/client.ts";
import {
  copyUsageDay,
  deleteUsageDay,
  hoursAround,
  readUsageDays,
  selectOpenHours,
  selectStoredDays,
  selectUsageSpan,
  type StoredUsageDay,
} from "../../../../db/sql/usage-days.ts";
import { copyDeviceDays, readDeviceDays, type StoredDeviceDays } from "../../../../db/sql/usage-device-days.ts";
import { selectNextSettledHour } from "../../../../db/sql/filled-hours.ts";
import { deleteUsage, selectNextUsageHour } from "../../../../db/sql/usage-hours.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { dayMs, dayOf, hourMs, hourOf } from "../../../../domain/time-range.ts";
import { formatTimestamp } from "../../../../domain/timestamp.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { systemClock } from "../../../../kit/clock.ts";
import { alone, inSteps, NotRepaired, readableBlocks } from "../repair-step.ts";
import { findDay, nameOfDay } from "./day-damage.ts";
import { DayRollUp } from "./day-roll-up.ts";
import { readMarkedFleet } from "./fleet-mark.ts";
import { isOpen } from "./stored-days.ts";
import { storeUsage } from "./stored-usage.ts";
import { usageDamage } from "./usage-damage.ts";

/** Something that is wrong with the ledger of usage. */
export interface UsageFault {
  /** A sentence without its full stop. */
  readonly problem: string;
  /** What repairs it: `rebuildUsage` for an hour, `rebuildDay` for a day; undefined: it cannot be made again. */
  readonly repair: { readonly kind: "rebuild" | "rebuild-day"; readonly hour: number } | undefined;
}

/** Reads the usage of all hours. @returns what is wrong with it */
export async function* findUsageDamage(
  client: SqlClient,
  thresholds: UsageThresholds,
): AsyncGenerator<UsageFault, void, undefined> {
  // hours that were settled before there was a ledger have no usage
  let hour = await selectNextUsageHour(client, -Infinity);
  while (hour !== undefined) {
    yield* faultsOfHour(client, hourOf(hour), thresholds);
    hour = await nextHour(client, hourOf(hour) + hourMs);
  }
}

async function nextHour(client: SqlClient, fromMs: number): Promise<number | undefined> {
  const [ofUsage = Infinity, settled = Infinity] = [
    await selectNextUsageHour(client, fromMs),
    await selectNextSettledHour(client, fromMs),
  ];
  return Number.isFinite(Math.min(ofUsage, settled)) ? Math.min(ofUsage, settled) : undefined;
}

async function* faultsOfHour(
  client: SqlClient,
  hour: number,
  thresholds: UsageThresholds,
): AsyncGenerator<UsageFault, void, undefined> {
  const repair = { kind: "rebuild", hour } as const;
  const { damaged, missing, wrong, measuredOtherwise, isLost } = await usageDamage(client, hour, thresholds);
  const lost = isLost ? "; what it has of GPUs whose records were deleted cannot be made again" : "";
  for (const { problem } of damaged) yield { problem: `${problem}${lost}`, repair };
  const when = `in the hour from ${formatTimestamp(hour)}`;
  if (missing.length > 0 && damaged.length === 0) {
    yield { problem: `${missing.length} GPU(s) with blocks have no usage ${when}`, repair };
  }
  if (wrong.length > 0)
    yield { problem: `the usage of ${wrong.length} GPU(s) is not that of their blocks ${when}`, repair };
  if (measuredOtherwise.length > 0) {
    const { activePercent, effectivePercent } = thresholds;
    const settings = `USAGE_ACTIVE_PERCENT=${activePercent} and USAGE_EFFECTIVE_PERCENT=${effectivePercent}`;
    const what = `the energy or activity of ${measuredOtherwise.length} GPU(s) is not that of their blocks ${when}`;
    yield { problem: `${what}: it is damaged, or was not settled by ${settings} or by this version`, repair };
  }
}

/** Compares the days of usage with their hours. @returns what is wrong with them */
export async function* findUsageDayDamage(
  client: SqlClient,
  thresholds: UsageThresholds,
): AsyncGenerator<UsageFault, void, undefined> {
  const days = await selectStoredDays(client);
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return;
  const open = await selectOpenHours(client, { fromMs: first - hourMs, toMs: last + dayMs + hourMs });
  const begin = (await selectUsageSpan(client))?.fromMs;
  const options = { ...(await readMarkedFleet(client)), thresholds };
  for (const day of days) {
    // these do not count, and are made again
    if (isOpen(day, open)) continue;
    const [stored] = await readUsageDays(client, [day]);
    if (stored === undefined) continue;
    const { state, problems } = await findDay(client, stored, options);
    // the hour before the first day counts for it, and is deleted before it
    if (state === "unknown" || (state === "kept" && day === begin)) continue;
    const repair = state === "wrong" ? ({ kind: "rebuild-day", hour: dayOf(day) } as const) : undefined;
    for (const problem of problems) yield { problem, repair };
  }
}

/** What was made again of an hour's usage. */
export interface RebuiltUsage {
  /** Rows that could not be read. */
  readonly damaged: number;
  readonly gpus: number;
}

/** Makes the usage of an hour again that is damaged, missing or wrong, from the blocks; the days that it counts for are made again by the
 *  collectors. Damaged entries of GPUs that have no blocks any more are lost; the days then stay, because they have them. */
export async function rebuildUsage(
  client: SqlClient,
  hour: number,
  thresholds: UsageThresholds,
): Promise<RebuiltUsage> {
  const damage = await usageDamage(client, hour, thresholds);
  const { damaged, missing, wrong, measuredOtherwise, isLost } = damage;
  if (damaged.length > 0 && damage.isOpen) {
    throw new NotRepaired(`records of the hour from ${formatTimestamp(hour)} are not settled: try again when they are`);
  }
  const kept = isLost && damaged.length > 0 ? await daysAround(client, hour) : [];
  await alone(client, hour, (transaction) => {
    for (const { row } of damaged) deleteUsage(transaction, row);
    return keepDays(transaction, kept);
  });
  let gpus = 0;
  for (const gpuKeys of inSteps([...missing, ...wrong, ...measuredOtherwise])) {
    gpus += await alone(client, hour, async (transaction) => {
      const blocks = await readableBlocks(transaction, { hour, gpuKeys });
      const stale = new Set(blocks.map(({ gpuKey }) => gpuKey));
      await storeUsage(transaction, hour, { blocks, stale, thresholds });
      await keepDays(transaction, kept);
      return stale.size;
    });
  }
  return { damaged: damaged.length, gpus };
}

interface KeptDay {
  readonly stored: StoredUsageDay;
  readonly ofDevices: readonly StoredDeviceDays[];
}

/** The stored days that the usage of an hour counts for. */
async function daysAround(executor: SqlExecutor, hour: number): Promise<KeptDay[]> {
  const days = [...new Set([hour - hourMs, hour, hour + hourMs].map(dayOf))];
  const rows = await readDeviceDays(executor, days, undefined);
  return (await readUsageDays(executor, days)).map((stored) => ({
    stored,
    ofDevices: rows.filter(({ day }) => day === stored.day),
  }));
}

/** Stores days again that were deleted with a row of their hours. */
async function keepDays(transaction: SqlTransaction, days: readonly KeptDay[]): Promise<void> {
  for (const { stored, ofDevices } of days) {
    deleteUsageDay(transaction, stored.day);
    await copyUsageDay(transaction, stored);
    await copyDeviceDays(transaction, ofDevices);
  }
}

const attemptsMax = 100;
const attemptEveryMs = 100;

/** Makes a day of usage again from its hours, unless it is their sum. What happens to it:
 *  `made`; `right`, it was kept; `later`, it was deleted if it existed, and is made when its hours are settled.
 *  @throws NotRepaired (nothing is changed) if its hours have less than it, or cannot be read */
export async function rebuildDay(
  client: SqlClient,
  day: number,
  thresholds: UsageThresholds,
): Promise<"made" | "right" | "later"> {
  const options = { ...(await readMarkedFleet(client)), thresholds };
  const ofDay = (await selectStoredDays(client)).filter((each) => dayOf(each) === day);
  const isSettled = !isOpen(day, await selectOpenHours(client, hoursAround(day)));
  for (const stored of isSettled ? await readUsageDays(client, ofDay) : []) {
    const { state, problems } = await findDay(client, stored, options);
    if (state === "kept" || state === "unknown") throw new NotRepaired(`${problems.join("; ")}: it was kept`);
    const isInForce = stored.fleet === options.marks.of(day);
    if (state === "right" && isInForce && ofDay.length === 1) return "right";
  }
  const days = new DayRollUp(client, thresholds);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const made = await makeDay(days, day);
    if (made === "made") return made;
    if (made === "not due") {
      await alone(client, day, (transaction) => Promise.resolve(deleteUsageDay(transaction, day)));
      return "later";
    }
    await systemClock.sleep(attemptEveryMs);
  }
  throw new NotRepaired(`records are being added to ${nameOfDay(day)} all the time: try again`);
}

async function makeDay(days: DayRollUp, day: number): ReturnType<DayRollUp["makeDay"]> {
  try {
    return await days.makeDay(day);
  } catch (error) {
    if (!(error instanceof UndecodableBlock)) throw error;
    throw new NotRepaired(`${nameOfDay(day)} cannot be made again: ${error.message}`, { cause: error });
  }
}
