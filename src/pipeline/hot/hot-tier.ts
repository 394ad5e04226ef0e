import type { RecordBatch } from "../../domain/batch.ts";
import type { Gpu, Occupants } from "../../domain/gpu.ts";
import type { ContestedGpu } from "../../domain/query.ts";

/** A GPU or a MIG instance with its attributes, without its measurements. */
export interface GpuState {
  readonly gpu: Gpu;
  /** Instant of the newest record with these attributes, milliseconds since the epoch. */
  readonly asOfMs: number;
  /** For each field that the newest record leaves open (empty or absent), the instant of the newest record that has it. The
   *  fields are named `device`, `modelName`, `driverVersion`, and `properties.` with the property's name. */
  readonly openSinceMs: ReadonlyMap<string, number>;
  /** Instant of the GPU's oldest record. */
  readonly firstSeenAtMs: number;
  /** The version of the state of a contested GPU (see `ContestedGpu`). A state with a later version replaces one with an earlier
   *  version or with none. */
  readonly contestedVersion?: number;
}

/** What a record says about its GPU. A later record without values may say something else, while this one is still the newest
 *  that has values. */
export interface ReportedGpu extends Pick<Gpu, "clusterId" | "hostname" | "device" | "modelName"> {
  /** Undefined if the record was written by a version that did not write it. */
  readonly gpuId: number | undefined;
}

/** The records of a GPU that followers do not receive, because a newer one of the same write supersedes them. The store has them. */
export interface CoalescedRecords {
  /** Instant of the oldest of them, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** How many they are, at most. */
  readonly records: number;
}

/** The newest record of a GPU. */
export interface NewestRecord {
  readonly uuid: string;
  /** A text that the record leaves open is empty. */
  readonly reported: ReportedGpu;
  readonly timeMs: number;
  /** Catalogue metric name -> value, in the catalogue's order; a metric without a value is absent. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Values of metrics outside the catalogue, and of labelled series by their names. */
  readonly custom: Readonly<Record<string, number>>;
  readonly occupants: Occupants;
  /** The version of the GPU's state that the record belongs to, if the GPU is contested: see `ContestedGpu`. */
  readonly contestedVersion?: number;
  /** The span of the write that brought the record, if its trace is recorded. Records of later writes have theirs. */
  readonly traceparent?: string;
  /** The records that this one supersedes in the write that brought it, if there are any. Collectors of earlier versions do not tell. */
  readonly coalesced?: CoalescedRecords;
}

/** Changes of the fleet. They may arrive twice, late, in parts and in any order: merging them (see merge-state.ts and
 *  merge-records.ts) gives the same result. */
export interface HotChanges {
  readonly gpus: readonly GpuState[];
  readonly records: readonly NewestRecord[];
}

/** Receives the changes of the hot tier. Its methods must not throw. */
export interface HotFollower {
  onChanges(changes: HotChanges): void;
  /** Called when following starts or resumes: from now on, every change arrives.
   *  @param afterGap true if changes before this call may have been missed */
  onFollowing(afterGap: boolean): void;
  /** Changes have stopped arriving; following resumes by itself. */
  onInterrupted(error: Error): void;
}

/** The fleet as it is now: hierarchy and newest records, shared by collectors and gateways. */
export interface HotTier {
  /** Publishes each GPU's newest record to all followers. An older record can only move the GPU's first-seen time back
   *  and complete its attributes; records of one GPU and instant are merged. Resolves when followers can receive the changes.
   *  Writing a batch twice does no harm.
   *  @param contested the batch's contested GPUs: these states are written instead of what the batch says about the GPUs
   *  @param traceparent the span of the write, if its trace is recorded: followers continue the trace
   *  Records that are too large, or that etcd refuses permanently (no permission), are left out, because the store has
   *  them.
   *  @throws EtcdUnavailable, EtcdOutOfSpace (retryable; the batch may or may not have been published) */
  write(batch: RecordBatch, contested?: readonly ContestedGpu[], traceparent?: string): Promise<void>;
  /** Sends the current state to the follower, and then every change.
   *  @returns a function that stops following; its promise resolves when the follower receives no further call */
  follow(follower: HotFollower): () => Promise<void>;
}
