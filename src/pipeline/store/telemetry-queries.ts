import type { CoverageFilter, CoveragePage } from "../../domain/coverage.ts";
import type { UndecodableBlock } from "../../domain/errors.ts";
import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { StateSpans } from "../../domain/inventory.ts";
import type { SeriesEnd } from "../../domain/series-end.ts";
import type {
  AggregateFilter,
  AggregateRow,
  ChangesFilter,
  ColumnsFilter,
  ColumnsPage,
  DeviceKinds,
  EachGpuFilter,
  EndsFilter,
  GpuChanges,
  HistoryPage,
  RecordCount,
  RecordFilter,
  RejectionFilter,
  RollupResolution,
  StoredGpu,
  StoredRecord,
  StoredRejection,
  StoredRollup,
} from "../../domain/query.ts";
import type {
  HeldSpan,
  HoldersFilter,
  JobFilter,
  JobUsage,
  UsageRow,
  UsageSumFilter,
} from "../../domain/usage/usage.ts";
import type { HistorySettling } from "./history-settling.ts";

/** Receives the error of a block that cannot be read. */
export type OnUnreadable = (error: UndecodableBlock) => void;

/** Queries about the fleet. Every call throws StoreUnavailable if the store does not answer, and QueryTooCostly if it would
 *  take too long. */
export interface FleetQueries {
  /** The selected GPUs, ordered by hostname, then gpuId, then uuid. */
  gpus(selector: GpuSelector): Promise<StoredGpu[]>;
  /** The newest record that has values of each selected GPU (the newest of all if none has), ordered as `gpus` is.
   *  @param onUnreadable receives the error of each block that cannot be read; the answer then lacks the newest record of its GPU.
   *    Absent: the call throws the error */
  latest(selector: GpuSelector, onUnreadable?: OnUnreadable): Promise<StoredRecord[]>;
  /** A GPU's attributes and workloads over time; empty for a GPU that the store does not have. */
  changes(filter: ChangesFilter): Promise<GpuChanges>;
  /** True if the store has a GPU with this uuid, or a MIG instance of it.
   *  @param within only what was ever within counts; undefined: everything */
  has(uuid: string, within?: GpuBounds): Promise<boolean>;
  /** When each GPU that was ever within was seen within for the first time, by uuid; milliseconds since the epoch. */
  firstSeen(within: GpuBounds): Promise<ReadonlyMap<string, number>>;
  /** A text that is the same only if nothing was stored, changed or deleted meanwhile. */
  revision(): Promise<string>;
  /** When hosts and devices are and will be under maintenance or decommissioned.
   *  @param known the version of the spans that the caller has; undefined if they are to be read in any case
   *  @param endAfterMs spans that had ended by then are left out; by default the present, by the store's clock */
  stateSpans(known: string | undefined, endAfterMs?: number): Promise<StateSpans>;
}

/** Queries about the history. Every call throws StoreUnavailable if the store does not answer, and QueryTooCostly if it
 *  would take too long. */
export interface HistoryQueries {
  /** The newest `limit` records that match the filter, or the oldest if `isForward`. */
  records(filter: RecordFilter): Promise<HistoryPage<StoredRecord>>;
  /** The records that match the filter as columns, page by page; a page has the records of some GPUs in an hour, or of all in some hours.
   *  It takes a fraction of the time of `records`. */
  columns(filter: ColumnsFilter): Promise<ColumnsPage>;
  /** The newest `limit` rollups whose minute, hour or day begins in the range, or the oldest if `isForward`. */
  rollups(filter: RecordFilter, resolution: RollupResolution): Promise<HistoryPage<StoredRollup>>;
  /** The newest `limit` records of each GPU in the range, by time ascending; one statement for all GPUs. */
  recordsOfEach(filter: EachGpuFilter): Promise<StoredRecord[]>;
  /** The newest `limit` rollups of each GPU whose minute, hour or day begins in the range, by time ascending; one statement for
   *  all GPUs. */
  rollupsOfEach(filter: EachGpuFilter, resolution: RollupResolution): Promise<StoredRollup[]>;
  /** When series of some devices ended, by time ascending, as senders told. */
  ends(filter: EndsFilter): Promise<SeriesEnd[]>;
  /** The kinds of devices that there are records of.
   *  @param within only what was within counts; undefined: everything */
  deviceKinds(within?: GpuBounds): Promise<DeviceKinds>;
}

/** Queries that aggregate the history. Every call throws StoreUnavailable if the store does not answer, and QueryTooCostly
 *  if it would take too long or return too many rows. */
export interface AggregateQueries {
  /** The aggregates of each group and minute, hour or day, ordered by time, then group. */
  byGroup(filter: AggregateFilter): Promise<AggregateRow[]>;
  /** The number of a cluster's stored records, or an estimate of it.
   *  @param within only what was within counts; undefined: everything */
  countRecords(clusterId: string, within?: GpuBounds): Promise<RecordCount>;
}

/** Queries about rejected inputs, and values that contradict each other. Every call throws StoreUnavailable if the store does not answer, and QueryTooCostly if it
 *  would take too long. */
export interface QuarantineQueries {
  /** The newest `limit` rejections of one source or of all sources, newest first. */
  rejections(filter: RejectionFilter): Promise<StoredRejection[]>;
  /** Reason -> number of rejected inputs; only reasons that occur. */
  countRejections(): Promise<Readonly<Record<string, number>>>;
  /** The number of values that differed from another value of the same series and record; the greater one is stored. */
  countConflicts(): Promise<number>;
}

/** Queries about how history is stored. Every call throws StoreUnavailable if the store does not answer. */
export type SettlingQueries = Pick<HistorySettling, "due">;

/** Queries about what was expected and what was received. Every call throws StoreUnavailable if the store does not answer, and
 *  QueryTooCostly if it would take too long. */
export interface CoverageQueries {
  /** The coverage of each group and hour, ordered by time, then group. */
  coverage(filter: CoverageFilter): Promise<CoveragePage>;
}

/** Queries about who used devices, and for what. Every call throws StoreUnavailable if the store does not answer, and QueryTooCostly if it
 *  would take too long or return too many rows. */
export interface UsageQueries {
  /** What each group used in each hour, day or range, ordered by time, then group. */
  sums(filter: UsageSumFilter): Promise<UsageRow[]>;
  /** What each pod and job used in the range, in the order in which they began. */
  jobs(filter: JobFilter): Promise<JobUsage[]>;
  /** Who held a device, by time ascending; empty for a device that the store does not have. */
  holders(filter: HoldersFilter): Promise<HeldSpan[]>;
}

/** How long a question may keep the store busy. Heavy ones, such as aggregates, do not keep light ones
 *  waiting, such as a GPU's records. */
export type QuestionWeight = "light" | "heavy";

/** What a store knows of its size without reading its records. */
export interface StoreSize {
  /** About so many; 0 if it is not known. */
  readonly records: number;
}

/** Answers the questions of clients. */
export interface Questions {
  /** How many questions of each weight the store answers at a time. */
  readonly atATime: Readonly<Record<QuestionWeight, number>>;
  /** The queries for one question.
   *  @param signal aborts when the client has left: the question's statements are then cancelled, and throw the signal's
   *  reason */
  ask(weight: QuestionWeight, signal: AbortSignal): TelemetryQueries;
  /** @throws StoreUnavailable */
  size(): Promise<StoreSize>;
}

/** All queries that a store answers. */
export interface TelemetryQueries {
  readonly fleet: FleetQueries;
  readonly history: HistoryQueries;
  readonly aggregates: AggregateQueries;
  readonly quarantine: QuarantineQueries;
  readonly settling: SettlingQueries;
  readonly coverage: CoverageQueries;
  readonly usage: UsageQueries;
}
