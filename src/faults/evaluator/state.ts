import type { StateSpan } from "../../domain/inventory.ts";
import type { Occupants } from "../../domain/gpu.ts";
import type { ActiveFault } from "../fault.ts";

/** What can have faults. */
export interface Owner {
  faults: ActiveFault[];
}

/** A code's bursts: first and last instant of each, oldest first. */
export interface XidHistory {
  readonly code: number;
  readonly bursts: [fromMs: number, toMs: number][];
}

/** What the evaluator remembers of a device: a plain JSON value of bounded size. */
export interface DeviceState extends Owner {
  readonly uuid: string;
  clusterId: string;
  hostname: string;
  gpuId: number;
  modelName: string;
  driverVersion: string;
  occupants: Occupants;
  /** The occupants before the newest record. */
  formerOccupants: Occupants;
  /** Its job (see job-of.ts), and since when; empty if there is none. */
  job: string;
  jobSinceMs: number;
  /** The job before the newest record. */
  formerJob: string;
  /** The instants of the first and the newest record. */
  readonly firstMs: number;
  lastMs: number;
  /** The evaluator's time when the newest record arrived. */
  arrivedMs: number;
  /** The last instant of maintenance: earlier silence is excused. */
  excusedMs: number;
  /** True if its newest record was of the present when it arrived. */
  isLive: boolean;
  isSuppressed: boolean;
  /** The usual interval between records; 0 while it is unknown. */
  intervalMs: number;
  /** The newest intervals, until there are enough for their median. */
  recentIntervalsMs: number[];
  /** By metric: the newest value of a counter, and its instant. */
  counters: Record<string, [value: number, atMs: number]>;
  /** By rule: sums over parts of its window. */
  windows: Record<string, number[]>;
  /** By rule about siblings: the newest value and its instant; 0 if it is not to be compared. */
  compared: Record<string, [value: number, atMs: number]>;
  fastValues: { hash: number; sinceMs: number; records: number } | null;
  xidGauge: number | null;
  /** By the name of a labelled series: its newest count. */
  xidCounts: Record<string, number>;
  xids: XidHistory[];
  /** The resets and reboots that followed XIDs, oldest first. */
  remedied: { code: number; atMs: number }[];
  /** The XIDs that each job had on this device. */
  jobXids: { code: number; job: string; atMs: number }[];
}

/** What the evaluator remembers of a host. */
export interface HostState extends Owner {
  readonly clusterId: string;
  readonly hostname: string;
  isSuppressed: boolean;
  /** Resets and reboots after XIDs, oldest first. */
  remediatedMs: number[];
}

/** All that the evaluator remembers: a plain JSON value. */
export interface EvaluatorState {
  readonly devices: readonly DeviceState[];
  readonly hosts: readonly HostState[];
  readonly clusters: readonly ClusterState[];
  readonly time: TimeState;
}

/** What the evaluator remembers of a cluster. Its faults are those of the cluster and of its jobs. */
export interface ClusterState extends Owner {
  readonly clusterId: string;
  /** The instant of the newest record of the present; 0 before the first. */
  newestMs: number;
  /** The evaluator's time when the newest record of the present arrived. */
  arrivedMs: number;
  /** Until then, no absence is raised: records are arriving again after a gap. */
  graceUntilMs: number;
}

/** What the evaluator knows of the time, and of maintenance. */
export interface TimeState {
  /** The evaluator's time; 0 before it is known. */
  nowMs: number;
  /** Since when its time passes without a long gap. */
  tickingSinceMs: number;
  /** The first record's instant of the devices that were not saved yet; absent if all were. */
  unsavedSinceMs?: number;
  /** Maintenance and decommissioning; without end, `toMs` is the greatest integer. */
  spans: StateSpan[];
}

/** The most codes, bursts of a code, active XIDs, jobs and series that are remembered of a device. */
export const maxXidCodes = 16;
export const maxBursts = 16;
export const maxActiveXids = 16;
export const maxJobXids = 8;
export const maxRemedied = 32;
export const maxXidSeries = 64;
