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

/** What is asked of the fleet. Every call throws StoreUnavailable when the store does not answer. */
export interface FleetQueries {
  /** Ordered by hostname, then gpuId, then uuid. */
  gpus(selector: GpuSelector): Promise<StoredGpu[]>;
  /** The newest record of each GPU, ordered as `gpus` is. */
  latest(selector: GpuSelector): Promise<StoredRecord[]>;
  /** Where a GPU was, and what held it, over time; empty for one that is not known. */
  changes(filter: ChangesFilter): Promise<GpuChanges>;
}

/** What is asked of the history of many GPUs at once: one question, however many GPUs. Every call throws StoreUnavailable
 *  when the store does not answer, and QueryTooCostly when it would take too long. */
export interface EachGpuQueries {
  /** The newest `limit` records of each GPU, by time ascending. */
  recordsOfEach(filter: EachGpuFilter): Promise<StoredRecord[]>;
  /** The newest `limit` rollups of each GPU whose minute or hour begins in the range, by time ascending. */
  rollupsOfEach(filter: EachGpuFilter, resolution: RollupResolution): Promise<StoredRollup[]>;
}

/** What the gateway asks of the history. Every call throws StoreUnavailable when the store does not answer, and
 *  QueryTooCostly when it would take too long or too many rows. */
export interface TelemetryQueries extends FleetQueries, EachGpuQueries {
  /** The newest `limit` records that fit. */
  records(filter: RecordFilter): Promise<HistoryPage<StoredRecord>>;
  /** The newest `limit` rollups whose minute or hour begins in the range. */
  rollups(filter: RecordFilter, resolution: RollupResolution): Promise<HistoryPage<StoredRollup>>;
  /** Ordered by time, then group. */
  aggregates(filter: AggregateFilter): Promise<AggregateRow[]>;
  /** Records stored of a cluster. */
  countRecords(clusterId: string): Promise<RecordCount>;
  /** The newest rejections first, of one source or of all. */
  rejections(filter: RejectionFilter): Promise<StoredRejection[]>;
  /** Reason -> rejected inputs; only reasons that there are. */
  countRejections(): Promise<Readonly<Record<string, number>>>;
}
