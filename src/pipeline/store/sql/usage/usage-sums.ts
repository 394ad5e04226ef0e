import { noWorkload } from "../../../../domain/gpu.ts";
import type { UsageSegment } from "../../../../domain/usage/device-time.ts";
import { gpuHourPrice, type UsagePrices } from "../../../../domain/usage/prices.ts";
import { partsPerMs } from "../../../../domain/usage/mig-slices.ts";
import {
  type HolderFilter,
  joulesPerKilowattHour,
  type MeanAndMax,
  type UsageSum,
} from "../../../../domain/usage/usage.ts";
import {
  effectiveMeasures,
  energyMeasures,
  type Level,
  type UsageHolder,
} from "../../../../domain/usage/usage-hour.ts";
import { hourMs } from "../../../../domain/time-range.ts";
import {
  type dayFigures,
  type UsageDayEntry,
  type UsageState,
  type UsageWho,
} from "../../../../domain/usage/usage-day.ts";
import { placeAt } from "./usage-fleet.ts";
import type { DeviceShare } from "./usage-time.ts";

/** The part of a device that one of its holders had, or that no holder had. */
export interface HeldShare extends UsageWho {
  readonly share: DeviceShare;
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
export function selectsHolder({ namespace, pod, job, user }: HolderFilter, held: UsageWho): boolean {
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

/** The measures that were met, as a set: the sum of a bit for each. */
const effectiveBit = (measure: UsageSegment["effectiveBy"]): number => 1 << effectiveMeasures.indexOf(measure);
const energyBit = (measure: UsageSegment["energyBy"]): number => 1 << energyMeasures.indexOf(measure);

/** Adds up usage. */
export class UsageSums {
  private readonly partsOf: Record<UsageState, number> = { allocated: 0, unallocated: 0, unknown: 0 };
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
  private effectiveBy = 0;
  private energyBy = 0;
  private readonly levels: LevelSum[] = Array.from({ length: 3 }, () => ({ sum: 0, seconds: 0, max: NaN }));
  readonly uuids = new Set<string>();

  constructor(private readonly prices: UsagePrices) {}

  /** Adds what a holder had of a device. */
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
    const idleMs = segment.idleMs * ofTime;
    const [energyJoules, idleJoules] = [share.energyJoules * ofShare, share.idleJoules * ofShare];
    this.activeMs += segment.activeMs * ofTime;
    this.effectiveMs += segment.effectiveMs * ofTime;
    this.effectiveBy |= effectiveBit(segment.effectiveBy);
    this.energyBy |= energyBit(share.energyBy);
    this.addLevels(segment);
    const { modelName } = placeAt(device, segment.atMs);
    this.addPriced(modelName, { parts, idleMs, energyJoules, idleJoules });
  }

  /** Adds what a holder had on a day.
   *  @param uuidOf the uuids of devices by their keys */
  addDay({ who: { state }, where, figures, deviceKeys }: UsageDayEntry, uuidOf: (key: number) => string): void {
    const of = (name: (typeof dayFigures)[number]): number => figures[name] as number;
    for (const key of deviceKeys) this.uuids.add(uuidOf(key));
    this.partsOf[state] += of("parts");
    if (state !== "allocated") {
      this.otherJoules += of("energyJoules");
      return;
    }
    this.sharedParts += of("sharedParts");
    this.unsizedParts += of("unsizedParts");
    this.holdersMax = Math.max(this.holdersMax, of("holdersMax"));
    this.activeMs += of("activeMs");
    this.effectiveMs += of("effectiveMs");
    this.effectiveBy |= of("effectiveBy");
    this.energyBy |= of("energyBy");
    for (const [index, name] of levelNames.entries()) {
      const level = { sum: of(`${name}Sum`), seconds: of(`${name}Seconds`), max: of(`${name}Max`) };
      addLevel(this.levels[index] as LevelSum, level);
    }
    const used = { parts: of("parts"), idleMs: of("idleMs") };
    this.addPriced(where.modelName, { ...used, energyJoules: of("energyJoules"), idleJoules: of("idleJoules") });
  }

  /** What was added, all of it of one state, as an entry of a day has it. */
  figures(): Omit<UsageDayEntry["figures"], "fromMs" | "toMs"> {
    const { allocated, unallocated, unknown } = this.partsOf;
    const levels = this.levels.map(({ sum, seconds, max }, index) => {
      const name = levelNames[index] as string;
      return { [`${name}Sum`]: toThousandths(sum), [`${name}Seconds`]: toThousandths(seconds), [`${name}Max`]: max };
    });
    return {
      parts: allocated + unallocated + unknown,
      sharedParts: this.sharedParts,
      unsizedParts: this.unsizedParts,
      holdersMax: this.holdersMax,
      activeMs: toThousandths(this.activeMs),
      idleMs: toThousandths(this.idleMs),
      effectiveMs: toThousandths(this.effectiveMs),
      energyJoules: toThousandths(this.energyJoules + this.otherJoules),
      idleJoules: toThousandths(this.idleJoules),
      ...{ effectiveBy: this.effectiveBy, energyBy: this.energyBy },
      ...(Object.assign({}, ...levels) as Record<string, number>),
    };
  }

  private addPriced(modelName: string, { parts, idleMs, energyJoules, idleJoules }: Priced): void {
    this.idleMs += idleMs;
    this.energyJoules += energyJoules;
    this.idleJoules += idleJoules;
    if (this.prices.gpuHour.size === 0) return;
    const price = gpuHourPrice(this.prices, modelName);
    if (price === undefined) this.isPriced = false;
    const hours = (ms: number): number => ((price ?? 0) * ms) / hourMs;
    const energy = (joules: number): number => (this.prices.kilowattHour * joules) / joulesPerKilowattHour;
    this.cost.allocated += hours(parts / partsPerMs) + energy(energyJoules);
    this.cost.idle += hours(idleMs) + energy(idleJoules);
  }

  private addLevels({ levels, fromMs, toMs }: UsageSegment): void {
    if (levels === undefined) return;
    const seconds = (toMs - fromMs) / 1000;
    for (let index = 0; index < levels.length; index += 1) {
      const { sum, max } = levels[index] as Level;
      addLevel(this.levels[index] as LevelSum, { sum, seconds, max });
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
      effectiveBy: only(effectiveMeasures, this.effectiveBy),
      energyBy: only(energyMeasures, this.energyBy),
      ...{ utilization, memory, power },
    };
  }
}

/** What costs something. */
interface Priced {
  readonly parts: number;
  readonly idleMs: number;
  readonly energyJoules: number;
  readonly idleJoules: number;
}

const levelNames = ["utilization", "memory", "power"] as const;

function addLevel(own: LevelSum, { sum, seconds, max }: LevelSum): void {
  if (Number.isNaN(max)) return;
  own.sum += sum;
  own.seconds += seconds;
  if (!(max <= own.max)) own.max = max;
}

const toThousandths = (value: number): number => Math.round(value * 1000) / 1000;

/** Seconds of whole GPUs. */
const secondsOf = (parts: number): number => parts / partsPerMs / 1000;

function only<Measure extends string>(measures: readonly Measure[], met: number): Measure | "none" | "mixed" {
  const [first = "none", ...others] = measures.filter((_, bit) => (met & (1 << bit)) !== 0);
  return others.length === 0 ? first : "mixed";
}

function meanAndMax({ sum, seconds, max }: LevelSum): MeanAndMax | undefined {
  if (Number.isNaN(max)) return undefined;
  // of a record that no other follows, only the value is known
  return { mean: seconds === 0 ? max : toThousandths(sum / seconds), max };
}
