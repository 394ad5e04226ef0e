import type { RecordBatch } from "../../domain/batch.ts";
import type { Gpu, Workload } from "../../domain/gpu.ts";

/** What is known of a GPU apart from its measurements. */
export interface GpuState {
  readonly gpu: Gpu;
  /** Instant of the newest record that bears the attributes out, milliseconds since the epoch. */
  readonly asOfMs: number;
  /** Instant of its oldest record. */
  readonly firstSeenAtMs: number;
}

/** The newest record of a GPU, as far as it is known. */
export interface NewestRecord {
  readonly uuid: string;
  readonly timeMs: number;
  /** Catalogue metric name -> value, in the catalogue's order; a metric without a value is absent. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Values of metrics outside the catalogue. */
  readonly custom: Readonly<Record<string, number>>;
  readonly workload: Workload;
}

/** News of the fleet. They may come again, late, in parts and in any order: joining them (see join.ts) always gives the
 *  same. */
export interface HotChanges {
  readonly gpus: readonly GpuState[];
  readonly records: readonly NewestRecord[];
}

/** Who follows the hot tier. None of these may throw. */
export interface HotFollower {
  onChanges(changes: HotChanges): void;
  /** The hot tier is followed, without a gap behind it; after `afterGap` the state of before may lack what came and went
   *  in between. Called when following begins, too. */
  onFollowing(afterGap: boolean): void;
  /** It is not followed for now; that comes back by itself. */
  onInterrupted(error: Error): void;
}

/** The living fleet: hierarchy and newest records, shared by those who store and those who show. */
export interface HotTier {
  /** Makes the newest of a batch known to all followers. Older records than what is known change nothing but what they
   *  say of the GPU's beginning; records of the same GPU and instant merge. Resolves when followers can see it; a second
   *  call with the same batch does no harm.
   *  What is refused for good (too large, no right to it) is left out, and counted: the store has it.
   *  @throws EtcdUnavailable, EtcdOutOfSpace (retryable; the batch may be known or not) */
  write(batch: RecordBatch): Promise<void>;
  /** Tells the present state and then every change.
   *  @returns ends it; resolves when no further call will come */
  follow(follower: HotFollower): () => Promise<void>;
}
