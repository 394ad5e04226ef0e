import type { RejectReason } from "./batch.ts";

/** A GPU as the store knows it. */
export interface StoredGpu {
  readonly uuid: string;
  readonly clusterId: string;
  readonly hostname: string;
  readonly gpuId: number;
  readonly device: string;
  readonly modelName: string;
  readonly driverVersion: string;
  readonly properties: Readonly<Record<string, string>>;
  /** Instants of its oldest and newest record, milliseconds since the epoch. */
  readonly firstSeenAtMs: number;
  readonly lastSeenAtMs: number;
}

/** One record as it is stored: only the metrics that it has. */
export interface StoredRecord {
  readonly gpu: StoredGpu;
  readonly timeMs: number;
  /** Catalogue metric name -> value; a metric without a value is absent. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Values of metrics outside the catalogue; empty when there are none. */
  readonly custom: Readonly<Record<string, number>>;
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
}

/** Which records; absent fields do not restrict. */
export interface RecordFilter {
  readonly uuid?: string;
  readonly clusterId?: string;
  readonly hostname?: string;
  /** Inclusive bounds, milliseconds since the epoch. */
  readonly startMs?: number;
  readonly endMs?: number;
  /** At most this many; the newest ones of the range. */
  readonly limit: number;
}

/** Which GPUs; absent fields do not restrict. */
export interface GpuFilter {
  readonly clusterId?: string;
  readonly hostname?: string;
  readonly gpuId?: number;
  readonly uuid?: string;
}

/** A rejected input as it is kept; see RejectedInput for the fields. */
export interface StoredRejection {
  readonly sourceId: string;
  readonly line: number;
  readonly byte: number;
  readonly reason: RejectReason;
  readonly field: string;
  readonly value: string;
  readonly message: string;
  readonly raw: string;
  readonly seenAtMs: number;
}

/** Which rejected inputs: of one source or of all, the newest `limit`. */
export interface RejectionFilter {
  readonly sourceId?: string;
  readonly limit: number;
}
