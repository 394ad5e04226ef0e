import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";

/** A GPU with its newest record. Replaced by another one whenever something about it changes, never changed itself. */
export interface FleetMember {
  readonly gpu: StoredGpu;
  /** Undefined where the store remembers the GPU and none of its records. */
  readonly record: StoredRecord | undefined;
}

/** The fleet as it is now, from memory. */
export interface Fleet {
  /** Another number after every change. */
  readonly version: number;
  /** False before the first news of store or hot tier. */
  readonly isLoaded: boolean;
  /** Ordered by hostname, then gpuId, then uuid.
   *  @throws StoreUnavailable while the fleet is not known */
  members(selector?: GpuSelector): readonly FleetMember[];
  /** @throws StoreUnavailable while the fleet is not known */
  member(uuid: string): FleetMember | undefined;
  /** In the order of `members`. @throws StoreUnavailable while the fleet is not known */
  gpus(selector: GpuSelector): StoredGpu[];
  /** Newest record of each GPU that has one, in the order of `members`. @throws StoreUnavailable while it is not known */
  latest(selector: GpuSelector): StoredRecord[];
  /** Tells of every member that is new or replaced, before anybody can ask for it; begins with those there are. */
  onMembers(listener: (members: readonly FleetMember[]) => void): void;
}
