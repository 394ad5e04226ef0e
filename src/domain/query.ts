import type { RejectedInput } from "./batch.ts";
import type { Attributes, Gpu, Occupants } from "./gpu.ts";
import type { GpuBounds } from "./gpu-bounds.ts";
import type { GpuSelector } from "./gpu-selector.ts";
import type { TimeRange } from "./time-range.ts";

/** A GPU with its newest attributes. */
export interface StoredGpu extends Gpu {
  /** Instants of the GPU's oldest and newest record, milliseconds since the epoch. */
  readonly firstSeenAtMs: number;
  readonly lastSeenAtMs: number;
  /** The version of the state of a contested GPU: a later version replaces earlier ones. Absent for any other GPU. */
  readonly contestedVersion?: number;
}

/** The state and the newest record of a contested GPU: one whose uuid two hosts have reported at one instant. */
export interface ContestedGpu {
  readonly gpu: StoredGpu & { readonly contestedVersion: number };
  /** The newest record that has values; the newest of all if none has. Undefined if the store has deleted the records. */
  readonly record: StoredRecord | undefined;
}

/** One record, with only the metrics that it has. */
export interface StoredRecord {
  /** The GPU as it was at the instant `timeMs`. */
  readonly gpu: Gpu;
  readonly timeMs: number;
  /** Catalogue metric name -> value; a metric without a value is absent. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Values of metrics outside the catalogue, and of labelled series by their names; empty when there are none. */
  readonly custom: Readonly<Record<string, number>>;
  /** The workloads that held the GPU at the instant. */
  readonly occupants: Occupants;
}

/** A place in the history. When reading back in time, the records after this place are older, or have the same instant and a lower
 *  GPU key. When reading forward, they are newer, or have the same instant and a higher GPU key. Storing more records does not
 *  change the place. */
export interface HistoryCursor {
  readonly timeMs: number;
  readonly gpuKey: number;
}

/** A page of the history. */
export interface HistoryPage<Element> {
  /** Records and rollups of the store are ordered by time ascending, then by hostname, index and uuid of the GPU. */
  readonly elements: readonly Element[];
  /** Where the next page begins: the next older page or, when reading forward, the next newer page; undefined if this page is
   *  the last. */
  readonly next: HistoryCursor | undefined;
}

/** Selects records. */
export interface RecordFilter {
  /** The selector applies to the attributes and workload at the record's instant. */
  readonly gpus: GpuSelector;
  readonly range: TimeRange;
  /** Only records after this place are read. */
  readonly cursor?: HistoryCursor;
  /** True: from the oldest record forward; false or absent: from the newest record back. */
  readonly isForward?: boolean;
  /** Maximum number of records: the newest of the range, or the oldest if `isForward`. */
  readonly limit: number;
}

/** Selects records that are read as columns. */
export interface ColumnsFilter extends Pick<RecordFilter, "gpus"> {
  /** Both bounds are finite. */
  readonly range: TimeRange;
  /** Names of the catalogue; the fewer, the quicker. */
  readonly metrics: readonly string[];
  /** Where the page begins; absent: at the beginning. */
  readonly cursor?: ColumnsCursor;
}

/** A place between two pages of columns, and how large the next page may be. */
export interface ColumnsCursor {
  /** What is left of the range. */
  readonly range: TimeRange;
  /** Of the first hour of the range, only the GPUs with a higher key are left. */
  readonly afterKey: number;
  readonly gpuHours: number;
}

/** Records of one GPU in the order of time, in columns of the same length. Throughout, the GPU has the same attributes and workloads. */
export interface StoredColumns extends Pick<StoredRecord, "gpu" | "occupants"> {
  /** Milliseconds since the epoch. */
  readonly timesMs: ArrayLike<number>;
  /** Catalogue metric name -> a value for each record; NaN: the record has none. */
  readonly metrics: Readonly<Record<string, ArrayLike<number>>>;
  /** The same for metrics outside the catalogue, and for labelled series by their names. */
  readonly custom: Readonly<Record<string, ArrayLike<number>>>;
}

/** A part of the history in columns. */
export interface ColumnsPage {
  /** In the order of time for each GPU. */
  readonly elements: readonly StoredColumns[];
  /** How many records were read for them. */
  readonly records: number;
  /** Where the next page begins; undefined: this page is the last. */
  readonly next: ColumnsCursor | undefined;
}

/** What the stored records are of, in addition to GPUs that at most one workload holds. */
export interface DeviceKinds {
  readonly hasMigInstances: boolean;
  readonly hasSharedDevices: boolean;
}

/** How many records are stored. */
export interface RecordCount {
  readonly count: number;
  /** True if counting would take too long. The count is then the database's estimate, divided among the clusters in
   *  proportion to their GPUs, but never less than the number of records that were counted. */
  readonly isEstimate: boolean;
}

/** Selects records of several GPUs. */
export interface EachGpuFilter {
  readonly uuids: readonly string[];
  /** Only what was within at the record's instant. */
  readonly within?: GpuBounds;
  readonly range: TimeRange;
  /** Maximum number of records for each GPU: the newest of the range. */
  readonly limit: number;
}

/** Selects ends of series of several GPUs. */
export interface EndsFilter {
  readonly uuids: readonly string[];
  /** Only what was within right before the end. */
  readonly within?: GpuBounds;
  readonly range: TimeRange;
}

/** How finely history is read: every record, or a summary of each GPU's records by minute, hour or day. */
export const resolutions = ["raw", "1m", "1h", "1d"] as const;
export type Resolution = (typeof resolutions)[number];
/** A resolution with summaries. */
export type RollupResolution = Exclude<Resolution, "raw">;
/** The span of time that a summary covers, in milliseconds. */
export const rollupMs: Readonly<Record<RollupResolution, number>> = {
  "1m": 60_000,
  "1h": 3_600_000,
  "1d": 86_400_000,
};

/** A summary of the values of a metric in a span of time. */
export interface Aggregate {
  readonly avg: number;
  readonly min: number;
  readonly max: number;
  /** Number of values. */
  readonly count: number;
  /** Of a counter: how much it rose to each value from the one before it, if that is of the same hour (UTC) or of the hour before; by the
   *  minute, of the same minute or of the 5 before. After a reset, the whole value counts. Undefined for gauges and states, and within bounds on namespaces: it would follow from the records of
   *  others. */
  readonly increase?: number;
}

/** A summary of one GPU's records in a minute, an hour or a day. */
export interface StoredRollup {
  /** The GPU as it was at the beginning of the minute, hour or day. */
  readonly gpu: Gpu;
  /** Beginning of the minute, hour or day (UTC), milliseconds since the epoch. */
  readonly timeMs: number;
  /** Number of records in the summary. */
  readonly records: number;
  /** Catalogue metric name -> the summary of its values; a metric without a value is absent. */
  readonly metrics: Readonly<Record<string, Aggregate>>;
}

/** The groups into which records can be aggregated. */
export const groupings = ["cluster", "host", "gpu", "model", "namespace"] as const;
export type Grouping = (typeof groupings)[number];

/** Selects the records to aggregate, and how. */
export interface AggregateFilter {
  readonly groupBy: Grouping;
  /** Names of the catalogue, at least one. */
  readonly metrics: readonly string[];
  /** Without a namespace, because a rollup combines all workloads of a GPU. */
  readonly gpus: Omit<GpuSelector, "namespace">;
  /** Selects the whole minutes, hours or days that begin in the range; both bounds are finite. */
  readonly range: TimeRange;
  readonly resolution: RollupResolution;
  /** Maximum number of rows; a result with more rows is an error. */
  readonly limit: number;
  /** True: the rows have `expected`, which takes as long to find as a simple average. */
  readonly withExpected: boolean;
}

/** One group in one minute, hour or day. */
export interface AggregateRow {
  /** Beginning of the minute, hour or day (UTC), milliseconds since the epoch. */
  readonly timeMs: number;
  /** The values that identify the group, by the API's field names: for a cluster, cluster_id; for a host, cluster_id and
   *  hostname; for a GPU, uuid; for a model, model_name; for a namespace, namespace. */
  readonly group: Readonly<Record<string, string>>;
  /** The number of records of the group that were due; undefined if it is not known of one of its devices, or not asked for. */
  readonly expected: number | undefined;
  /** Metric name -> the summary of its values; a metric without a value is absent. */
  readonly metrics: Readonly<Record<string, Aggregate>>;
}

/** A GPU's attributes, valid until the next span begins. */
export interface AttributesSpan extends Attributes {
  /** Beginning of the span, milliseconds since the epoch. */
  readonly fromMs: number;
}

/** The workloads that held a GPU until the next span begins. */
export interface WorkloadSpan {
  readonly occupants: Occupants;
  /** Beginning of the span, milliseconds since the epoch. */
  readonly fromMs: number;
}

/** The changes of a GPU over time, oldest first. */
export interface GpuChanges {
  readonly attributes: readonly AttributesSpan[];
  readonly workloads: readonly WorkloadSpan[];
}

/** Selects the attributes and workloads that a GPU had in a range, even those that began before the range. */
export interface ChangesFilter {
  readonly uuid: string;
  readonly range: TimeRange;
}

/** A rejected input in the quarantine. */
export interface StoredRejection extends RejectedInput {
  /** Its number in the quarantine. */
  readonly id: number;
  readonly sourceId: string;
  /** When the input was put into quarantine, milliseconds since the epoch. */
  readonly seenAtMs: number;
  /** The push that it came in; null for an input of a file, an upload or a live source. */
  readonly pushId: string | null;
}

/** Selects the newest `limit` rejected inputs, of one source or of all sources, of one push or of all. */
export interface RejectionFilter {
  readonly sourceId?: string;
  readonly pushId?: string;
  /** Only inputs with a lower id: older ones. */
  readonly beforeId?: number;
  readonly limit: number;
}
