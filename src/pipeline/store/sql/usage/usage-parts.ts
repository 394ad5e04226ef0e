import type { SqlExecutor } from "../../../../db/client.ts";
import { decodeNamed } from "../../../../db/named-block.ts";
import {
  hoursAround,
  readUsageDays,
  selectOpenHours,
  selectUsageDays,
  type StoredUsageDay,
} from "../../../../db/sql/usage-days.ts";
import { selectUsageFleet, type UsageFleet } from "../../../../db/sql/usage-devices.ts";
import { dayMs, dayOf, hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { unpackUsageDay, type UsageDayEntry } from "../../../../domain/usage/usage-day.ts";
import type { UsageFilter } from "../../../../domain/usage/usage.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
import { FleetMarks } from "./fleet-mark.ts";
import { familiesOf } from "./usage-fleet.ts";
import { type SharesOfHour, usageTime } from "./usage-time.ts";

/** What holders had on a day. */
export interface EntriesOfDay {
  readonly day: number;
  readonly entries: readonly UsageDayEntry[];
  /** The uuid of a device by its key. */
  readonly uuidOf: (key: number) => string;
}

/** So many days are in memory at a time. */
const daysAtATime = 8;

/** Reads how the selected devices were used, in the order of time: by whole days where these are stored and still hold, and hour by hour
 *  otherwise.
 *  @param byDay false: by hours only, because the question is about hours or single devices
 *  @param executor as for `usageTime` */
export async function* usageParts(
  executor: SqlExecutor,
  filter: Omit<UsageFilter, "holder">,
  { thresholds, byDay }: { readonly thresholds: UsageThresholds; readonly byDay: boolean },
): AsyncGenerator<SharesOfHour | EntriesOfDay, void, undefined> {
  const fleet = await selectUsageFleet(executor);
  const hours = (range: TimeRange) => usageTime(executor, { ...filter, range }, { thresholds, fleet });
  let { fromMs } = filter.range;
  const { toMs } = filter.range;
  if (byDay && areOfPlaces(filter)) {
    for await (const { day, entries, uuidOf } of storedDays(executor, filter.range, fleet)) {
      if (fromMs < day) yield* hours({ fromMs, toMs: day });
      fromMs = day + dayMs;
      yield { day, entries: entries.filter(({ where }) => isSelected(filter, where)), uuidOf };
    }
  }
  if (fromMs < toMs) yield* hours({ fromMs, toMs });
}

/** True if a filter selects devices by what days know of them. */
function areOfPlaces({ gpus }: Pick<UsageFilter, "gpus">): boolean {
  const { uuids, parentUuid, gpuId, within } = gpus;
  return uuids === undefined && parentUuid === undefined && gpuId === undefined && within === undefined;
}

function isSelected({ gpus }: Pick<UsageFilter, "gpus">, where: UsageDayEntry["where"]): boolean {
  const { clusterId, hostname, modelName } = gpus;
  return (
    (clusterId === undefined || where.clusterId === clusterId) &&
    (hostname === undefined || where.hostname === hostname) &&
    (modelName === undefined || where.modelName === modelName)
  );
}

/** Reads the days within a range that hold, in the order of time. */
async function* storedDays(
  executor: SqlExecutor,
  range: TimeRange,
  fleet: UsageFleet,
): AsyncGenerator<EntriesOfDay, void, undefined> {
  const whole = {
    fromMs: Math.ceil(range.fromMs / dayMs) * dayMs,
    // whole hours that begin in the range
    toMs: dayOf(Math.ceil(range.toMs / hourMs) * hourMs),
  };
  if (whole.fromMs >= whole.toMs) return;
  const days = await selectUsageDays(executor, whole);
  if (days.size === 0) return;
  const families = familiesOf(fleet, { gpus: {} });
  const marks = new FleetMarks(families);
  const open = await selectOpenHours(executor, { fromMs: whole.fromMs - hourMs, toMs: whole.toMs + hourMs });
  const good = [...days.keys()]
    .filter((day) => !isOpen(day, open) && days.get(day) === marks.of({ fromMs: day, toMs: day + dayMs }))
    .sort((a, b) => a - b);
  const uuidOf = uuidsOf(fleet, families);
  for (let at = 0; at < good.length; at += daysAtATime) {
    for (const stored of await readUsageDays(executor, good.slice(at, at + daysAtATime))) {
      // it may have been made again meanwhile
      if (stored.fleet !== days.get(stored.day)) continue;
      yield { day: stored.day, entries: decodeUsageDay(stored), uuidOf };
      await turnOfOthers();
    }
  }
}

/** True if records may still change a day. */
export function isOpen(day: number, openHours: readonly number[]): boolean {
  const { fromMs, toMs } = hoursAround(day);
  return openHours.some((hour) => hour >= fromMs && hour < toMs);
}

function uuidsOf({ devices }: UsageFleet, families: ReturnType<typeof familiesOf>): (key: number) => string {
  const uuids = new Map(devices.map(({ gpuKey, uuid }) => [gpuKey, uuid]));
  for (const { uuid, board, instances } of families) {
    if (board === undefined && uuid !== undefined) for (const { gpuKey } of instances) uuids.set(-gpuKey, uuid);
  }
  return (key) => uuids.get(key) ?? String(key);
}

function decodeUsageDay(stored: StoredUsageDay): UsageDayEntry[] {
  return decodeNamed(
    () => `the row of usage_days from ${new Date(stored.day).toISOString()}`,
    () => unpackUsageDay(stored, stored.day),
  );
}
