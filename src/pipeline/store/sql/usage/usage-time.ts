import type { SqlExecutor } from "../../../../db/client.ts";
import { selectOwnSpans } from "../../../../db/sql/select-spans.ts";
import { hourMs, hourOf, type TimeRange } from "../../../../domain/time-range.ts";
import { type NearUsage, partOfSegment, segmentsOf, type UsageSegment } from "../../../../domain/usage/device-time.ts";
import { type DeviceTime, sharesOf, type UsageShare } from "../../../../domain/usage/gpu-time.ts";
import { partsPerMs } from "../../../../domain/usage/mig-slices.ts";
import type { UsageFilter } from "../../../../domain/usage/usage.ts";
import type { UsageHour, UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
import { OwnRecords } from "../aggregates/own-records.ts";
import { OwnUsage } from "./own-usage.ts";
import { readUsage, type UsageOfHour } from "./read-usage.ts";
import { type GpuFamily, membersOf, placeAt, selects, type UsageDevice } from "./usage-fleet.ts";

/** A device's share of the time of an hour. */
export type DeviceShare = UsageShare<UsageDevice>;

/** The shares of an hour. */
export interface SharesOfHour {
  readonly hour: number;
  readonly shares: readonly DeviceShare[];
}

/** So many devices are divided at a time: some milliseconds. */
const familiesPerTurn = 2000;

/** Whose time to read. */
export interface TimedFleet {
  readonly thresholds: UsageThresholds;
  /** Those with a device that the filter may select. */
  readonly families: readonly GpuFamily[];
  /** That of the filter's bounds. */
  readonly own: OwnUsage | undefined;
  /** Receives the usage of each hour that is read: besides those of the range, the hour before and the hour after it. */
  readonly onUsage?: (usage: UsageOfHour) => void;
}

/** Reads how the selected devices were used, hour by hour; hours in which no device is known are left out. With bounds on namespaces, only
 *  time in which own workloads held a device.
 *  @param filter `holder` is not applied
 *  @param executor one whose signal and time limit hold between its statements, too */
export async function* usageTime(
  executor: SqlExecutor,
  filter: Omit<UsageFilter, "holder">,
  { thresholds, families, own, onUsage }: TimedFleet,
): AsyncGenerator<SharesOfHour, void, undefined> {
  const devices = families.flatMap(membersOf).sort((a, b) => a.gpuKey - b.gpuKey);
  const range = hoursSeen(filter.range, devices);
  if (range === undefined) return;
  const reading = { range: { fromMs: range.fromMs - hourMs, toMs: range.toMs + hourMs }, devices, thresholds, own };
  const time = new FleetTime(families, filter, own);
  for await (const next of readUsage(executor, reading)) {
    const hour = next.hour - hourMs;
    time.move(next);
    onUsage?.(next);
    if (hour < range.fromMs || hour >= range.toMs) continue;
    const shares = await time.sharesIn(hour);
    if (shares.length > 0) yield { hour, shares };
  }
}

/** Reads what a caller with bounds may see. @returns undefined if there are no bounds */
export async function selectOwnUsage(
  executor: SqlExecutor,
  within: UsageFilter["gpus"]["within"],
): Promise<OwnUsage | undefined> {
  if (within === undefined) return undefined;
  const hasPlaces = within.clusters !== undefined || within.hosts !== undefined;
  return new OwnUsage(within, new OwnRecords(within, hasPlaces ? await selectOwnSpans(executor, within) : undefined));
}

/** The whole hours that begin in a range, as far as any of the devices was seen in them. */
function hoursSeen({ fromMs, toMs }: TimeRange, devices: readonly UsageDevice[]): TimeRange | undefined {
  const first = devices.reduce((least, { seen }) => Math.min(least, seen.fromMs), Infinity);
  const last = devices.reduce((greatest, { seen }) => Math.max(greatest, seen.toMs), -Infinity);
  const hours = {
    fromMs: Math.max(Math.ceil(fromMs / hourMs) * hourMs, hourOf(first)),
    // its newest record is known to within 10 minutes
    toMs: Math.min(Math.ceil(toMs / hourMs) * hourMs, hourOf(last) + 2 * hourMs),
  };
  return hours.fromMs < hours.toMs ? hours : undefined;
}

/** The time of a fleet in one hour after the other. */
class FleetTime {
  private readonly before = new Map<number, UsageHour>();
  private of: ReadonlyMap<number, UsageHour> = new Map();
  private after: ReadonlyMap<number, UsageHour> = new Map();

  constructor(
    private readonly families: readonly GpuFamily[],
    private readonly filter: Pick<UsageFilter, "gpus">,
    private readonly own: OwnUsage | undefined,
  ) {}

  /** Goes on by an hour. @param next the usage of the hour after that */
  move(next: UsageOfHour): void {
    for (const [gpuKey, usage] of this.of) this.before.set(gpuKey, usage);
    [this.of, this.after] = [this.after, next.usage];
  }

  async sharesIn(hour: number): Promise<DeviceShare[]> {
    const shares: DeviceShare[] = [];
    for (const [index, family] of this.families.entries()) {
      if (index > 0 && index % familiesPerTurn === 0) await turnOfOthers();
      for (const share of this.sharesOfFamily(hour, family)) shares.push(share);
    }
    return shares;
  }

  private sharesOfFamily(hour: number, family: GpuFamily): DeviceShare[] {
    const { uuid, board, instances, gone } = family;
    const first = instances[0];
    if (first === undefined && board !== undefined) {
      const time = this.timeOf(hour, board, { life: this.lifeOf(hour, board), gone });
      return this.selectedParts(sharesOf(time, []));
    }
    const times = instances.map((device) => this.timeOf(hour, device, { life: this.lifeOf(hour, device), gone }));
    const lives = membersOf(family).map((device) => this.lifeOf(hour, device));
    const life = {
      fromMs: Math.min(...lives.map(({ fromMs }) => fromMs)),
      toMs: Math.max(...lives.map(({ toMs }) => toMs)),
    };
    // only its instances have reported: where they are, it is. Of a GPU that no input names, nothing is counted besides them
    const whole = board ?? {
      ...(first as UsageDevice),
      gpuKey: -(first as UsageDevice).gpuKey,
      uuid: uuid ?? "",
      parts: partsPerMs,
      isSized: true,
    };
    const isSeen = board !== undefined || (uuid !== undefined && this.isWhole(first as UsageDevice));
    // the records of a GPU that is within only in part may be hours ago: whether the range has them must not matter
    const ofBoardLife = board === undefined || this.isWhole(board) ? life : this.lifeOf(hour, board);
    const ofBoard: DeviceTime<UsageDevice> = isSeen
      ? this.timeOf(hour, whole, { life: ofBoardLife, gone })
      : { device: whole, parts: partsPerMs, segments: [] };
    return this.selectedParts(sharesOf(ofBoard, times));
  }

  private near({ gpuKey }: UsageDevice): NearUsage {
    return { before: this.before.get(gpuKey), of: this.of.get(gpuKey), after: this.after.get(gpuKey) };
  }

  /** From the first record to the last one. Of what is within only in part, as far as the hours around have records: how long ago the range
   *  begins does not matter. */
  private lifeOf(hour: number, device: UsageDevice): TimeRange {
    const { before, of, after } = this.near(device);
    const firstBefore = before !== undefined && before.firstMs >= hour - hourMs ? before.firstMs : Infinity;
    const first = Math.min(firstBefore, of?.firstMs ?? Infinity, after?.firstMs ?? Infinity);
    const last = Math.max(of?.lastMs ?? -Infinity, after?.lastMs ?? -Infinity);
    if (this.isWhole(device)) {
      return { fromMs: Math.min(first, device.seen.fromMs), toMs: Math.max(last, device.seen.toMs) };
    }
    return of === undefined ? { fromMs: Infinity, toMs: -Infinity } : { fromMs: first, toMs: last };
  }

  private isWhole({ gpuKey }: UsageDevice): boolean {
    return this.own?.hasAllOf(gpuKey) ?? true;
  }

  private timeOf(
    hour: number,
    device: UsageDevice,
    { life, gone }: { readonly life: TimeRange; readonly gone: readonly TimeRange[] },
  ): DeviceTime<UsageDevice> {
    let segments = segmentsOf(hour, this.near(device), life);
    if (gone.length > 0) segments = segments.flatMap((segment) => whileThere(segment, gone));
    // most devices have been in one place since their first record
    const { places } = device;
    if ((places.length > 1 || (places[0]?.fromMs ?? 0) > hour) && this.isWhole(device)) {
      const cuts = places.map(({ fromMs }) => fromMs);
      segments = segments.flatMap((segment) => cutAt(segment, cuts));
    }
    return { device, parts: device.parts, segments };
  }

  private selectedParts(shares: readonly DeviceShare[]): DeviceShare[] {
    return shares.filter(({ device, segment: { holder, atMs } }) => {
      // what is not of own workloads is not within
      if (holder === undefined && this.own?.bounds.namespaces !== undefined) return false;
      return selects(this.filter, device, placeAt(device, atMs));
    });
  }
}

/** Nothing is expected of a device that was decommissioned: time in which it may have been used is not unknown. */
function whileThere(segment: UsageSegment, gone: readonly TimeRange[]): UsageSegment[] {
  if (segment.holder !== undefined) return [segment];
  return gone.reduce<UsageSegment[]>(
    (parts, { fromMs, toMs }) =>
      parts.flatMap((part) => {
        const left = { fromMs: part.fromMs, toMs: Math.min(part.toMs, fromMs) };
        const right = { fromMs: Math.max(part.fromMs, toMs), toMs: part.toMs };
        if (fromMs >= part.toMs || toMs <= part.fromMs) return [part];
        return [left, right].filter((side) => side.fromMs < side.toMs).map((side) => partOfSegment(part, side));
      }),
    [segment],
  );
}

/** Divides a segment where its device came to another place. */
function cutAt(segment: UsageSegment, instants: readonly number[]): UsageSegment[] {
  const { fromMs, toMs, atMs } = segment;
  const inside = instants.filter((instant) => instant > fromMs && instant < toMs);
  if (inside.length === 0) return [segment];
  const bounds = [fromMs, ...inside, toMs];
  return bounds.slice(0, -1).map((from, index) => ({
    ...partOfSegment(segment, { fromMs: from, toMs: bounds[index + 1] as number }),
    atMs: index === 0 ? atMs : from,
  }));
}
