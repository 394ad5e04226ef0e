import type { GpuSelector } from "../gpu-selector.ts";
import type { TimeRange } from "../time-range.ts";
import type { EffectiveMeasure, EnergyMeasure } from "./usage-hour.ts";

/** What usage can be summed up by. */
export const usageGroupings = [
  "namespace",
  "pod",
  "container",
  "job",
  "user",
  "host",
  "model",
  "cluster",
  "device",
  "total",
] as const;
export type UsageGrouping = (typeof usageGroupings)[number];

/** The fields of a group, in the order of its values. */
export const usageGroupFields = {
  namespace: ["namespace"],
  pod: ["namespace", "pod"],
  container: ["namespace", "pod", "container"],
  job: ["job"],
  user: ["user"],
  host: ["cluster_id", "hostname"],
  model: ["model_name"],
  cluster: ["cluster_id"],
  device: ["cluster_id", "hostname", "uuid"],
  total: [],
} as const satisfies Readonly<Record<UsageGrouping, readonly string[]>>;

/** A field that groups have. */
export type UsageField = (typeof usageGroupFields)[UsageGrouping][number];

/** How long the time of a row is. */
export const usageSteps = ["hour", "day", "total"] as const;
export type UsageStep = (typeof usageSteps)[number];

/** Selects time by who held the devices; with any of these, only time in which a holder did. */
export interface HolderFilter {
  readonly namespace?: string;
  readonly pod?: string;
  readonly job?: string;
  readonly user?: string;
}

/** Selects usage. */
export interface UsageFilter {
  /** The devices, by their attributes at the time; `namespace` is in `holder`. */
  readonly gpus: Omit<GpuSelector, "namespace">;
  readonly holder: HolderFilter;
  /** Whole hours that begin in the range; both bounds are finite. */
  readonly range: TimeRange;
}

/** Selects usage, and says how it is summed up. */
export interface UsageSumFilter extends UsageFilter {
  readonly groupBy: UsageGrouping;
  readonly step: UsageStep;
  /** The greatest number of rows; a result with more is an error. */
  readonly rowsMax: number;
}

export const joulesPerKilowattHour = 3_600_000;

/** The mean over time and the greatest value of a metric. */
export interface MeanAndMax {
  readonly mean: number;
  readonly max: number;
}

/** What devices were used for. Times are of whole GPUs, in seconds. */
export interface UsageSum {
  /** The number of devices. */
  readonly devices: number;
  readonly allocatedSeconds: number;
  readonly unallocatedSeconds: number;
  readonly unknownSeconds: number;
  /** Of the allocated time: what was used, what was not, and the part in which tensor cores or SMs were. */
  readonly activeSeconds: number;
  readonly idleSeconds: number;
  readonly effectiveSeconds: number;
  /** Allocated time of devices that several held at once; each has an equal part of it. */
  readonly sharedSeconds: number;
  /** Allocated time of MIG instances whose share of their GPU is not known: they count as one slice, the least. */
  readonly unsizedSeconds: number;
  /** The greatest number that held a device at once; 0 if none did. */
  readonly holdersMax: number;
  /** Of the allocated time, the idle part of it, and the rest. */
  readonly energyJoules: number;
  readonly idleJoules: number;
  readonly otherJoules: number;
  /** What the allocated time and its energy cost, and the idle part; undefined: some of the devices have no price. */
  readonly cost: { readonly allocated: number; readonly idle: number; readonly currency: string } | undefined;
  readonly effectiveBy: EffectiveMeasure | "mixed";
  readonly energyBy: EnergyMeasure | "mixed";
  readonly utilization: MeanAndMax | undefined;
  readonly memory: MeanAndMax | undefined;
  readonly power: MeanAndMax | undefined;
}

/** What a group used in an hour, a day (UTC) or a range. */
export interface UsageRow extends UsageSum {
  readonly timeMs: number;
  /** The values of `usageGroupFields`. */
  readonly group: readonly string[];
}

/** What a pod or job used. */
export interface JobUsage extends UsageSum {
  readonly namespace: string;
  readonly pod: string;
  readonly job: string;
  readonly user: string;
  /** The first and the last instant at which it held a device in the range. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly hasEnded: boolean;
  /** False if it held a device at the beginning of the range, and so perhaps before. */
  readonly isComplete: boolean;
  readonly uuids: readonly string[];
}

/** Selects jobs. */
export interface JobFilter extends UsageFilter {
  readonly nowMs: number;
  readonly rowsMax: number;
}

/** Who held a device, and from when until when. */
export interface HeldSpan extends TimeRange {
  readonly state: "held" | "free" | "unknown";
  readonly holders: readonly { readonly namespace: string; readonly pod: string; readonly container: string }[];
  readonly job: string;
  readonly user: string;
}

/** Selects the holders of a device. */
export interface HoldersFilter {
  readonly uuid: string;
  readonly within?: GpuSelector["within"];
  readonly range: TimeRange;
}
