import { noWorkload, type Workload } from "../../../../domain/gpu.ts";
import type { UsageSegment } from "../../../../domain/usage/device-time.ts";
import { gpuHourPrice, type UsagePrices } from "../../../../domain/usage/prices.ts";
import { partsPerMs } from "../../../../domain/usage/mig-slices.ts";
import {
  type HolderFilter,
  joulesPerKilowattHour,
  type MeanAndMax,
  type UsageSum,
} from "../../../../domain/usage/usage.ts";
import type { Level, UsageHolder } from "../../../../domain/usage/usage-hour.ts";
import { hourMs } from "../../../../domain/time-range.ts";
import { placeAt } from "./usage-fleet.ts";
import type { DeviceShare } from "./usage-time.ts";

/** What a device's time is counted as. */
export type UsageState = "allocated" | "unallocated" | "unknown";

/** The part of a device that one of its holders had, or that no holder had. */
export interface HeldShare {
  readonly share: DeviceShare;
  readonly state: UsageState;
  /** Empty if no workload held the device. */
  readonly workload: Workload;
  readonly job: string;
  readonly user: string;
  /** How many held the device. */
  readonly holders: number;
  readonly parts: number;
}

/** True if a workload or job held a device. */
export function isHeld({ occupants, job }: UsageHolder): boolean {
  return occupants.length > 0 || job !== "";
}

/** Divides a share among those who held the device: equally, and so that the parts add up. */
export function heldShares(share: DeviceShare): HeldShare[] {
  const { segment, parts } = share;
  const { holder } = segment;
  const free = { share, workload: noWorkload, job: "", user: "", holders: 0, parts };
  if (holder === undefined) return [{ ...free, state: "unknown" }];
  if (!isHeld(holder)) return [{ ...free, state: "unallocated" }];
  const { job, user } = holder;
  const workloads = holder.occupants.length === 0 ? [noWorkload] : holder.occupants;
  const holders = workloads.length;
  return workloads.map((workload, index) => ({
    ...{ share, state: "allocated", workload, job, user, holders },
    parts: Math.floor(parts / holders) + (index < parts % holders ? 1 : 0),
  }));
}

/** True if a filter selects time of a holder. */
export function selectsHolder({ namespace, pod, job, user }: HolderFilter, held: HeldShare): boolean {
  const isAny = namespace === undefined && pod === undefined && job === undefined && user === undefined;
  return (
    isAny ||
    (held.state === "allocated" &&
      (namespace === undefined || held.workload.namespace === namespace) &&
      (pod === undefined || held.workload.pod === pod) &&
      (job === undefined || held.job === job) &&
      (user === undefined || held.user === user))
  );
}

/** The sum, time and greatest value of a metric. */
interface LevelSum {
  sum: number;
  seconds: number;
  max: number;
}

/** Adds up usage. */
export class UsageSums {
  private readonly partsOf = { allocated: 0, unallocated: 0, unknown: 0 };
  private sharedParts = 0;
  private unsizedParts = 0;
  private activeMs = 0;
  private idleMs = 0;
  private effectiveMs = 0;
  private energyJoules = 0;
  private idleJoules = 0;
  private otherJoules = 0;
  private readonly cost = { allocated: 0, idle: 0 };
  private isPriced = true;
  private holdersMax = 0;
  private readonly effectiveBy = new Set<UsageSegment["effectiveBy"]>();
  private readonly energyBy = new Set<UsageSegment["energyBy"]>();
  private readonly levels: LevelSum[] = Array.from({ length: 3 }, () => ({ sum: 0, seconds: 0, max: NaN }));
  readonly uuids = new Set<string>();

  constructor(private readonly prices: UsagePrices) {}

  add(held: HeldShare): void {
    const { share, state, holders, parts } = held;
    const { device, segment } = share;
    this.uuids.add(device.uuid);
    this.partsOf[state] += parts;
    const ofShare = share.parts === 0 ? 0 : parts / share.parts;
    if (state !== "allocated") {
      this.otherJoules += share.energyJoules * ofShare;
      return;
    }
    if (holders > 1) this.sharedParts += parts;
    if (!device.isSized) this.unsizedParts += parts;
    this.holdersMax = Math.max(this.holdersMax, holders);
    const ofTime = parts / (partsPerMs * (segment.toMs - segment.fromMs));
    this.activeMs += segment.activeMs * ofTime;
    this.idleMs += segment.idleMs * ofTime;
    this.effectiveMs += segment.effectiveMs * ofTime;
    this.energyJoules += share.energyJoules * ofShare;
    this.idleJoules += share.idleJoules * ofShare;
    this.effectiveBy.add(segment.effectiveBy);
    this.energyBy.add(share.energyBy);
    this.addLevels(segment);
    this.addCost(held, segment.idleMs * ofTime, ofShare);
  }

  private addCost({ share, parts }: HeldShare, idleMs: number, ofShare: number): void {
    if (this.prices.gpuHour.size === 0) return;
    const price = gpuHourPrice(this.prices, placeAt(share.device, share.segment.atMs).modelName);
    if (price === undefined) this.isPriced = false;
    const hours = (ms: number): number => ((price ?? 0) * ms) / hourMs;
    const energy = (joules: number): number => (this.prices.kilowattHour * joules * ofShare) / joulesPerKilowattHour;
    this.cost.allocated += hours(parts / partsPerMs) + energy(share.energyJoules);
    this.cost.idle += hours(idleMs) + energy(share.idleJoules);
  }

  private addLevels({ levels, fromMs, toMs }: UsageSegment): void {
    if (levels === undefined) return;
    for (let index = 0; index < levels.length; index += 1) {
      const level = levels[index] as Level;
      if (Number.isNaN(level.max)) continue;
      const own = this.levels[index] as LevelSum;
      own.sum += level.sum;
      own.seconds += (toMs - fromMs) / 1000;
      if (!(level.max <= own.max)) own.max = level.max;
    }
  }

  private costs(): UsageSum["cost"] {
    const { gpuHour, currency } = this.prices;
    if (!this.isPriced || gpuHour.size === 0) return undefined;
    return { allocated: toThousandths(this.cost.allocated), idle: toThousandths(this.cost.idle), currency };
  }

  sum(): UsageSum {
    const [utilization, memory, power] = this.levels.map(meanAndMax);
    const { allocated, unallocated, unknown } = this.partsOf;
    return {
      devices: this.uuids.size,
      allocatedSeconds: secondsOf(allocated),
      unallocatedSeconds: secondsOf(unallocated),
      unknownSeconds: secondsOf(unknown),
      activeSeconds: toThousandths(this.activeMs / 1000),
      idleSeconds: toThousandths(this.idleMs / 1000),
      effectiveSeconds: toThousandths(this.effectiveMs / 1000),
      sharedSeconds: secondsOf(this.sharedParts),
      unsizedSeconds: secondsOf(this.unsizedParts),
      holdersMax: this.holdersMax,
      energyJoules: Math.round(this.energyJoules),
      idleJoules: Math.round(this.idleJoules),
      otherJoules: Math.round(this.otherJoules),
      cost: this.costs(),
      effectiveBy: only(this.effectiveBy),
      energyBy: only(this.energyBy),
      ...{ utilization, memory, power },
    };
  }
}

const toThousandths = (value: number): number => Math.round(value * 1000) / 1000;

/** Seconds of whole GPUs. */
const secondsOf = (parts: number): number => parts / partsPerMs / 1000;

function only<Measure extends string>(measures: ReadonlySet<Measure | "none">): Measure | "none" | "mixed" {
  const [first = "none", ...others] = measures;
  return others.length === 0 ? first : "mixed";
}

function meanAndMax({ sum, seconds, max }: LevelSum): MeanAndMax | undefined {
  if (Number.isNaN(max)) return undefined;
  // of a record that no other follows, only the value is known
  return { mean: seconds === 0 ? max : toThousandths(sum / seconds), max };
}
