import type {
  GpuFilter,
  RecordFilter,
  RejectionFilter,
  StoredGpu,
  StoredRecord,
  StoredRejection,
} from "../../domain/query.ts";

/** What the gateway asks of the history. Every call throws StoreUnavailable when the store does not answer. */
export interface TelemetryQueries {
  /** Ordered by hostname, then gpuId, then uuid. */
  gpus(filter: GpuFilter): Promise<StoredGpu[]>;
  /** The newest `limit` records that fit, ordered by time ascending, then hostname, then gpuId. */
  records(filter: RecordFilter): Promise<StoredRecord[]>;
  /** The newest record of each GPU, ordered as `gpus` is. */
  latest(filter: GpuFilter): Promise<StoredRecord[]>;
  /** Records stored of a cluster (exact). */
  countRecords(clusterId: string): Promise<number>;
  /** The newest rejections first, of one source or of all. */
  rejections(filter: RejectionFilter): Promise<StoredRejection[]>;
}
