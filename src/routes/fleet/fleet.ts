import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";

/** A GPU with its newest record. Immutable: a change replaces it. */
export interface FleetMember {
  readonly gpu: StoredGpu;
  /** Undefined if the store has the GPU, but no record of it. */
  readonly record: StoredRecord | undefined;
}

/** The current fleet, in memory. */
export interface Fleet {
  /** Changes with every change of the fleet. */
  readonly version: number;
  /** False until the store has answered, or the hot tier has answered with at least one GPU. */
  readonly isLoaded: boolean;
  /** Ordered by hostname, then gpuId, then uuid.
   *  @throws StoreUnavailable while the fleet is not loaded */
  members(selector?: GpuSelector): readonly FleetMember[];
  /** @returns undefined if the fleet has no GPU with this uuid
   *  @throws StoreUnavailable while the fleet is not loaded */
  member(uuid: string): FleetMember | undefined;
  /** In the order of `members`. @throws StoreUnavailable while the fleet is not loaded */
  gpus(selector: GpuSelector): StoredGpu[];
  /** The newest record of each GPU that has a record, in the order of `members`.
   *  @throws StoreUnavailable while the fleet is not loaded */
  latest(selector: GpuSelector): StoredRecord[];
  /** Calls the listener with the existing members, and then at each change with the new and replaced ones, before other code
   *  can see them in `members`. */
  onMembers(listener: (members: readonly FleetMember[]) => void): void;
}
