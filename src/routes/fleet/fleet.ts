import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { InventoryState } from "../../domain/inventory.ts";
import type { StoredRecord } from "../../domain/query.ts";
import type { FleetGpu } from "../schemas/gpu.ts";

/** A GPU with its newest record. Immutable: an update replaces the member. */
export interface FleetMember {
  readonly gpu: FleetGpu;
  /** Has the place, device and model of its own instant: the GPU may have moved since. Its driver version and properties are those
   *  of `gpu`. Undefined if no record has arrived, for example because the store had already deleted the GPU's records. */
  readonly record: StoredRecord | undefined;
}

/** The states of the hosts and devices that are not active at a moment. */
export interface PresentStates {
  /** By uuid. */
  readonly devices: ReadonlyMap<string, InventoryState>;
  /** By `hostKey`. */
  readonly hosts: ReadonlyMap<string, InventoryState>;
}

/** The current fleet, in memory. */
export interface Fleet {
  /** A different number after every change of the fleet. */
  readonly version: number;
  /** False until the store has answered, or the hot tier has answered with at least one GPU. */
  readonly isLoaded: boolean;
  /** The states of the hosts that are not active, by `hostKey`; undefined until the inventory has been read. */
  readonly hostStates: ReadonlyMap<string, InventoryState> | undefined;
  /** The present, milliseconds since the epoch. */
  nowMs(): number;
  /** Call it before an answer says that something does not exist.
   *  @throws StoreUnavailable while the fleet may lack GPUs that the store has */
  checkComplete(): void;
  /** Ordered by hostname, then gpuId, then uuid.
   *  @throws StoreUnavailable while the fleet is not loaded */
  members(selector?: GpuSelector): readonly FleetMember[];
  /** @returns undefined if the fleet has no GPU with this uuid
   *  @throws StoreUnavailable while the fleet is not loaded */
  member(uuid: string): FleetMember | undefined;
  /** The selected GPUs, in the order of `members`. @throws StoreUnavailable while the fleet is not loaded */
  gpus(selector: GpuSelector): FleetGpu[];
  /** The newest record of each selected GPU that has a record, in the order of `members`.
   *  @throws StoreUnavailable while the fleet is not loaded */
  latest(selector: GpuSelector): StoredRecord[];
}

/** A fleet whose changes can be followed. */
export interface LiveFleet extends Fleet {
  /** Immediately calls the listener with all members. After each change, calls it with the new and the changed members, before
   *  any request can see the change. */
  onMembers(listener: (members: readonly FleetMember[]) => void): void;
}
