import type { SqlExecutor } from "../../../../db/client.ts";
import { selectUsageFleet, type UsageFleet } from "../../../../db/sql/usage-devices.ts";
import { dayMs, type TimeRange } from "../../../../domain/time-range.ts";
import type { UsageDayEntry } from "../../../../domain/usage/usage-day.ts";
import type { UsageFilter } from "../../../../domain/usage/usage.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
import { DeviceDayChoice } from "./device-day-choice.ts";
import { selectHoldingDays, storedDays, storedDeviceDays } from "./stored-days.ts";
import { familiesOf, type GpuFamily } from "./usage-fleet.ts";
import { selectOwnUsage, type SharesOfHour, usageTime } from "./usage-time.ts";

/** What holders had on a day. */
export interface EntriesOfDay {
  readonly day: number;
  readonly entries: readonly UsageDayEntry[];
  /** The uuid of a device by its key. */
  readonly uuidOf: (key: number) => string;
}

/** What a question needs: who had devices when; or in which hours, on which days, or on which days which devices. */
export type UsageDetail = "hours" | "days" | "devices";

/** Reads how the selected devices were used, in the order of days: by whole days where these are stored and still hold, and hour by hour
 *  otherwise.
 *  @param executor as for `usageTime` */
export async function* usageParts(
  executor: SqlExecutor,
  filter: Omit<UsageFilter, "holder">,
  { thresholds, detail }: { readonly thresholds: UsageThresholds; readonly detail: UsageDetail },
): AsyncGenerator<SharesOfHour | EntriesOfDay, void, undefined> {
  const fleet = await selectUsageFleet(executor);
  const selected = familiesOf(fleet, filter);
  const own = await selectOwnUsage(executor, filter.gpus.within);
  const hours = (range: TimeRange, families: readonly GpuFamily[] = selected) =>
    usageTime(executor, { ...filter, range }, { thresholds, families, own });
  let { fromMs } = filter.range;
  const { toMs } = filter.range;
  if (detail !== "hours") {
    const choice = detail === "days" && areOfPlaces(filter) ? undefined : new DeviceDayChoice(filter, selected, own);
    for await (const { left, ...part } of days(executor, filter, { fleet, choice })) {
      if (fromMs < part.day) yield* hours({ fromMs, toMs: part.day });
      fromMs = part.day + dayMs;
      yield part;
      if (left.length > 0) yield* hours({ fromMs: part.day, toMs: fromMs }, left);
      await turnOfOthers();
    }
  }
  if (fromMs < toMs) yield* hours({ fromMs, toMs });
}

/** True if a filter selects devices by what days know of them, without the days of devices. */
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

/** Reads the days of a range that hold, in the order of time.
 *  @param choice undefined: devices do not matter
 *  @returns with the families whose hours are to be read besides */
async function* days(
  executor: SqlExecutor,
  filter: Omit<UsageFilter, "holder">,
  { fleet, choice }: { readonly fleet: UsageFleet; readonly choice: DeviceDayChoice | undefined },
): AsyncGenerator<EntriesOfDay & { readonly left: readonly GpuFamily[] }, void, undefined> {
  const families = familiesOf(fleet, { gpus: {} });
  const holding = await selectHoldingDays(executor, filter.range, families);
  if (choice === undefined) {
    const uuidOf = uuidsOf(fleet, families);
    for await (const { day, entries } of storedDays(executor, holding)) {
      yield { day, entries: entries.filter(({ where }) => isSelected(filter, where)), left: [], uuidOf };
    }
  } else {
    const uuidOf = (key: number) => choice.uuidOf(key);
    for await (const stored of storedDeviceDays(executor, holding, choice.hostKeys())) {
      yield { day: stored.day, ...choice.of(stored), uuidOf };
    }
  }
}

function uuidsOf({ devices }: UsageFleet, families: readonly GpuFamily[]): (key: number) => string {
  const uuids = new Map(devices.map(({ gpuKey, uuid }) => [gpuKey, uuid]));
  for (const { uuid, board, instances } of families) {
    if (board === undefined && uuid !== undefined) for (const { gpuKey } of instances) uuids.set(-gpuKey, uuid);
  }
  return (key) => uuids.get(key) ?? String(key);
}
