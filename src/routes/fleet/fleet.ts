import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";

/** A GPU with its newest record. Immutable: an update replaces the member. */
export interface FleetMember {
  readonly gpu: StoredGpu;
  /** Has the place, device and model of its own instant: the GPU may have moved since. Its driver version and properties are those
   *  of `gpu`. Undefined if no record has arrived, for example because the store had already deleted the GPU's records. */
  readonly record: StoredRecord | undefined;
}

/** The current fleet, in memory. */
export interface Fleet {
  /** A different number after every change of the fleet. */
  readonly version: number;
  /** False until the store has answered, or the hot tier has answered with at least one GPU. */
  readonly isLoaded: boolean;
  /** Ordered by hostname, then gpuId, then uuid.
   *  @throws StoreUnavailable while the fleet is not loaded */
  members(selector?: GpuSelector): readonly FleetMember[];
  /** @returns undefined if the fleet has no GPU with this uuid
   *  @throws StoreUnavailable while the fleet is not loaded */
  member(uuid: string): FleetMember | undefined;
  /** The selected GPUs, in the order of `members`. @throws StoreUnavailable while the fleet is not loaded */
  gpus(selector: GpuSelector): StoredGpu[];
  /** The newest record of each selected GPU that has a record, in the order of `members`.
   *  @throws StoreUnavailable while the fleet is not loaded */
  latest(selector: GpuSelector): StoredRecord[];
  /** Immediately calls the listener with all members. After each change, calls it with the new and the changed members, before
   *  any request can see the change. */
  onMembers(listener: (members: readonly FleetMember[]) => void): void;
}
