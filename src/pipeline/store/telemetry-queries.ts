import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type {
  AggregateFilter,
  AggregateRow,
  ChangesFilter,
  EachGpuFilter,
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

/** Questions about the fleet. Every call throws StoreUnavailable if the store does not answer. */
export interface FleetQueries {
  /** Ordered by hostname, then gpuId, then uuid. */
  gpus(selector: GpuSelector): Promise<StoredGpu[]>;
  /** The newest record of each GPU, ordered as `gpus` is. */
  latest(selector: GpuSelector): Promise<StoredRecord[]>;
  /** Where a GPU was, and what held it, over time; empty for a GPU that the store does not have. */
  changes(filter: ChangesFilter): Promise<GpuChanges>;
}

/** Questions about the history. Every call throws StoreUnavailable if the store does not answer, and QueryTooCostly if it
 *  would take too long. */
export interface HistoryQueries {
  /** The newest `limit` records that the filter takes. */
  records(filter: RecordFilter): Promise<HistoryPage<StoredRecord>>;
  /** The newest `limit` rollups whose minute or hour begins in the range. */
  rollups(filter: RecordFilter, resolution: RollupResolution): Promise<HistoryPage<StoredRollup>>;
  /** The newest `limit` records of each GPU, by time ascending; one statement for all GPUs. */
  recordsOfEach(filter: EachGpuFilter): Promise<StoredRecord[]>;
  /** The newest `limit` rollups of each GPU whose minute or hour begins in the range, by time ascending; one statement for
   *  all GPUs. */
  rollupsOfEach(filter: EachGpuFilter, resolution: RollupResolution): Promise<StoredRollup[]>;
}

/** Questions that sum the history up. Every call throws StoreUnavailable if the store does not answer, and QueryTooCostly
 *  if it would take too long or too many rows. */
export interface AggregateQueries {
  /** The sums of each group and minute or hour; ordered by time, then group. */
  byGroup(filter: AggregateFilter): Promise<AggregateRow[]>;
  /** Records stored of a cluster. */
  countRecords(clusterId: string): Promise<RecordCount>;
}

/** Questions about rejected inputs. Every call throws StoreUnavailable if the store does not answer. */
export interface QuarantineQueries {
  /** The newest rejections first, of one source or of all. */
  rejections(filter: RejectionFilter): Promise<StoredRejection[]>;
  /** Reason -> rejected inputs; only reasons that occur. */
  countRejections(): Promise<Readonly<Record<string, number>>>;
}

/** Everything that a store answers. */
export interface TelemetryQueries {
  readonly fleet: FleetQueries;
  readonly history: HistoryQueries;
  readonly aggregates: AggregateQueries;
  readonly quarantine: QuarantineQueries;
}
