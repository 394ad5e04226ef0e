import type { SqlClient, SqlExecutor, SqlTransaction } from "../../../../db/client.ts";
import { deleteUsageDay, readUsageDays, selectUsageSpan, type StoredUsageDay } from "../../../../db/sql/usage-days.ts";
import { readDeviceDays } from "../../../../db/sql/usage-device-days.ts";
import { selectNextSettledHour } from "../../../../db/sql/rollup-hours.ts";
import { selectUsageFleet } from "../../../../db/sql/usage-devices.ts";
import { deleteUsage, selectNextUsageHour } from "../../../../db/sql/usage-hours.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { dayMs, dayOf, hourMs } from "../../../../domain/time-range.ts";
import { formatTimestamp } from "../../../../domain/timestamp.ts";
import { dayFigures, type UsageDayEntry } from "../../../../domain/usage/usage-day.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { alone, faultOf, inSteps, NotRepaired, readableBlocks } from "../repair-step.ts";
import { addUpDay, entryKeyOf } from "./day-entries.ts";
import { decodeDeviceDays, decodeUsageDay, selectHoldingDays } from "./stored-days.ts";
import { storeUsage } from "./stored-usage.ts";
import { familiesOf, type GpuFamily } from "./usage-fleet.ts";
import { usageDamage } from "./usage-damage.ts";

/** Something that is wrong with the ledger of usage. */
export interface UsageFault {
  /** A sentence without its full stop. */
  readonly problem: string;
  /** What repairs it: `rebuildUsage` for an hour, `rebuildDay` for a day; undefined: it cannot be made again. */
  readonly repair: { readonly kind: "rebuild" | "rebuild-day"; readonly hour: number } | undefined;
}

/** Reads the whole ledger, hour by hour, then its days. @returns what is wrong with it */
export async function* findUsageDamage(
  client: SqlClient,
  thresholds: UsageThresholds,
): AsyncGenerator<UsageFault, void, undefined> {
  // hours that were settled before there was a ledger have no usage
  let hour = await selectNextUsageHour(client, -Infinity);
  while (hour !== undefined) {
    yield* faultsOfHour(client, hour, thresholds);
    hour = await nextHour(client, hour + hourMs);
  }
  yield* faultsOfDays(client, thresholds);
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
  const { damaged, missing, wrong, isLost } = await usageDamage(client, hour, thresholds);
  const lost = isLost ? "; what it has of GPUs whose records were deleted cannot be made again" : "";
  for (const { problem } of damaged) yield { problem: `${problem}${lost}`, repair };
  const when = `in the hour from ${formatTimestamp(hour)}`;
  if (missing.length > 0 && damaged.length === 0) {
    yield { problem: `${missing.length} GPU(s) with blocks have no usage ${when}`, repair };
  }
  if (wrong.length > 0)
    yield { problem: `the usage of ${wrong.length} GPU(s) is not that of their blocks ${when}`, repair };
}

async function* faultsOfDays(
  client: SqlClient,
  thresholds: UsageThresholds,
): AsyncGenerator<UsageFault, void, undefined> {
  const span = await selectUsageSpan(client);
  if (span === undefined) return;
  const families = familiesOf(await selectUsageFleet(client), { gpus: {} });
  const range = { fromMs: dayOf(span.fromMs), toMs: dayOf(span.toMs) + dayMs };
  // the others are made again anyhow
  const holding = await selectHoldingDays(client, range, families);
  for (const day of holding.keys()) yield* faultsOfDay(client, day, { families, thresholds });
}

interface DayOptions {
  readonly families: readonly GpuFamily[];
  readonly thresholds: UsageThresholds;
}

async function* faultsOfDay(
  client: SqlClient,
  day: number,
  options: DayOptions,
): AsyncGenerator<UsageFault, void, undefined> {
  const repair = { kind: "rebuild-day", hour: day } as const;
  const name = `the day of usage from ${formatTimestamp(day)}`;
  const [stored] = await readUsageDays(client, [day]);
  if (stored === undefined) return;
  const read = await readDay(client, stored);
  for (const problem of read.problems) yield { problem, repair };
  if (read.problems.length > 0) return;
  const difference = await compare(client, read, options);
  if (difference === "same" || difference === "unknown") return;
  yield difference === "wrong"
    ? {
        problem: `${name} is not the sum of its hours: it is wrong, or one of them; rebuild-day trusts the hours`,
        repair,
      }
    : { problem: `${name} has more than its hours, of which some were lost: the day counts`, repair: undefined };
}

interface ReadDay {
  readonly day: number;
  /** Why its rows cannot be read. */
  readonly problems: readonly string[];
  /** By holder and place, and by device. */
  readonly entries: readonly (readonly UsageDayEntry[])[];
}

async function readDay(client: SqlExecutor, stored: StoredUsageDay): Promise<ReadDay> {
  const rows = await readDeviceDays(client, [stored.day], undefined);
  const problems: string[] = [];
  const read = (decode: () => UsageDayEntry[]): UsageDayEntry[] => {
    let entries: UsageDayEntry[] = [];
    problems.push(...faultOf(() => (entries = decode())));
    return entries;
  };
  const ofPlaces = read(() => decodeUsageDay(stored));
  const ofDevices = rows.flatMap((row) => read(() => decodeDeviceDays(row).entriesOf(() => true)));
  return { day: stored.day, problems, entries: [ofPlaces, ofDevices] };
}

/** Compares a day with its hours: `lost`, it has more than they; `unknown`, some of them cannot be read. */
async function compare(
  client: SqlExecutor,
  { day, entries: found }: ReadDay,
  options: DayOptions,
): Promise<"same" | "wrong" | "lost" | "unknown"> {
  try {
    const { entries, ofDevices } = await addUpDay(client, { fromMs: day, toMs: day + dayMs }, options);
    const made = [entries, ofDevices.flatMap((each) => each.entries)];
    if (found.every((each, index) => textOf(each) === textOf(made[index] ?? []))) return "same";
    return found.every((each, index) => knownParts(each) > knownParts(made[index] ?? [])) ? "lost" : "wrong";
  } catch (error) {
    if (error instanceof UndecodableBlock) return "unknown";
    throw error;
  }
}

function textOf(entries: readonly UsageDayEntry[]): string {
  const rows = entries.map(({ who, where, figures, deviceKeys }) => {
    // sums of doubles depend on their order
    const values = dayFigures.map((name) => Number(figures[name]?.toPrecision(9)));
    return JSON.stringify([entryKeyOf(who, where), deviceKeys, values]);
  });
  return rows.sort().join("\n");
}

function knownParts(entries: readonly UsageDayEntry[]): number {
  return entries.reduce((sum, { who, figures }) => sum + (who.state === "unknown" ? 0 : (figures["parts"] ?? 0)), 0);
}

/** What was made again of an hour's usage. */
export interface RebuiltUsage {
  /** Rows that could not be read. */
  readonly damaged: number;
  readonly gpus: number;
}

/** Makes the usage of an hour again that is damaged, missing or wrong, from the blocks; the days that it counts for are made again by the
 *  collectors. Damaged entries of GPUs that have no blocks any more are lost. */
export async function rebuildUsage(
  client: SqlClient,
  hour: number,
  thresholds: UsageThresholds,
): Promise<RebuiltUsage> {
  const { damaged, missing, wrong, isOpen } = await usageDamage(client, hour, thresholds);
  if (damaged.length > 0 && isOpen) {
    throw new NotRepaired(`records of the hour from ${formatTimestamp(hour)} are not settled: try again when they are`);
  }
  await alone(client, hour, (transaction) => {
    for (const { row } of damaged) deleteUsage(transaction, row);
    return Promise.resolve();
  });
  let gpus = 0;
  for (const gpuKeys of inSteps([...missing, ...wrong])) {
    gpus += await alone(client, hour, (transaction) => storeAgain(transaction, { hour, gpuKeys, thresholds }));
  }
  return { damaged: damaged.length, gpus };
}

async function storeAgain(
  transaction: SqlTransaction,
  {
    hour,
    gpuKeys,
    thresholds,
  }: { readonly hour: number; readonly gpuKeys: readonly number[]; readonly thresholds: UsageThresholds },
): Promise<number> {
  const blocks = await readableBlocks(transaction, { hour, gpuKeys });
  const stale = new Set(blocks.map(({ gpuKey }) => gpuKey));
  await storeUsage(transaction, hour, { blocks, stale, thresholds });
  return stale.size;
}

/** Deletes a day that cannot be read or is not the sum of its hours; the collectors make it again from these.
 *  @throws NotRepaired (nothing is changed) if its hours have less than it, or cannot be read */
export async function rebuildDay(client: SqlClient, day: number, thresholds: UsageThresholds): Promise<void> {
  const families = familiesOf(await selectUsageFleet(client), { gpus: {} });
  const name = `the day of usage from ${formatTimestamp(day)}`;
  const [stored] = await readUsageDays(client, [day]);
  if (stored === undefined) throw new NotRepaired(`${name} does not exist, or was deleted already`);
  const read = await readDay(client, stored);
  const difference = read.problems.length > 0 ? "wrong" : await compare(client, read, { families, thresholds });
  if (difference !== "wrong") throw new NotRepaired(`${name} was kept: its hours say nothing else, or not all`);
  await alone(client, day, (transaction) => {
    deleteUsageDay(transaction, day);
    return Promise.resolve();
  });
}
