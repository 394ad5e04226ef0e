import type { GpuBounds } from "./gpu-bounds.ts";

/** What an inventory says of a host or device: it ought to report; it need not report for a while; it is gone for good. */
export const inventoryStates = ["active", "maintenance", "decommissioned"] as const;
export type InventoryState = (typeof inventoryStates)[number];

/** Who has declared a host or device: the file INVENTORY_FILE, or an operator by the API. */
export const declarers = ["file", "operator"] as const;
export type Declarer = (typeof declarers)[number];

/** A device that was decommissioned comes back with its first record that is this much younger than its decommissioning: what it
 *  reports until it is switched off does not count. Milliseconds. */
export const returnGraceMs = 600_000;

/** A host or device that ought to be there, because it has reported or because it was declared. */
export interface InventoryItem {
  readonly clusterId: string;
  readonly hostname: string;
  /** Empty for a host. */
  readonly uuid: string;
  readonly state: InventoryState;
  /** When the state begins, or if it is active: when the next maintenance begins. Milliseconds since the epoch, like every instant
   *  here; undefined if nothing was said. */
  readonly fromMs: number | undefined;
  /** When it ends; undefined if it has no end. */
  readonly toMs: number | undefined;
  readonly note: string;
  readonly changedAtMs: number | undefined;
  /** Empty if it was never declared. */
  readonly declaredBy: readonly Declarer[];
  readonly declaredAtMs: number | undefined;
  /** The declared number of GPUs of a host. */
  readonly gpus: number | undefined;
  /** The GPUs of a host that have reported, without MIG instances; undefined for a device. */
  readonly gpusSeen: number | undefined;
  /** Undefined if it has never reported. */
  readonly firstSeenAtMs: number | undefined;
  readonly lastSeenAtMs: number | undefined;
  /** When it reported again after its last decommissioning; undefined if it has not. */
  readonly returnedAtMs: number | undefined;
}

/** Names a host, or a device by its uuid. Without a cluster, the hostname has to be that of one cluster only. */
export interface InventorySubject {
  readonly clusterId?: string;
  readonly hostname?: string;
  readonly uuid?: string;
}

/** Selects the items of a list. Every given field restricts it. */
export interface InventoryFilter extends InventorySubject {
  readonly kind?: "host" | "device";
  readonly state?: InventoryState;
  /** False: items that have never reported. */
  readonly seen?: boolean;
  /** Only items that are within now, with figures of what is. */
  readonly within?: GpuBounds;
  /** Maximum number of items. */
  readonly limit: number;
  /** The item before the first one. */
  readonly after?: InventoryPlace;
}

/** The place of an item in a list. */
export type InventoryPlace = Pick<InventoryItem, "clusterId" | "hostname" | "uuid">;

/** A part of the list, ordered by cluster, host (which comes before its devices) and uuid. */
export interface InventoryPage {
  readonly items: readonly InventoryItem[];
  /** The place of the last item if more follow. */
  readonly next: InventoryPlace | undefined;
}

/** What an operator says of a host or device. */
export interface InventoryChange {
  readonly subject: InventorySubject;
  /** `restore` ends what was said before: maintenance and decommissioning. */
  readonly action: "maintenance" | "decommission" | "restore";
  /** When it begins, or for `restore` ends; undefined: now, by the clock of the store. */
  readonly fromMs: number | undefined;
  /** When maintenance ends; undefined: when it is ended by `restore`. */
  readonly toMs: number | undefined;
  readonly note: string;
}

/** What became of a change. Nothing was changed unless it is `changed`. */
export type InventoryOutcome =
  | { readonly kind: "changed"; readonly item: InventoryItem }
  /** No such host or device has reported or was declared. `near` has the names that are most similar. */
  | { readonly kind: "unknown"; readonly near: readonly string[] }
  | { readonly kind: "several_clusters"; readonly clusterIds: readonly string[] }
  /** It was to be decommissioned as of an instant after which it has reported. */
  | { readonly kind: "has_reported"; readonly uuid: string; readonly lastSeenAtMs: number }
  /** What was to be withdrawn was not declared by an operator. */
  | { readonly kind: "not_declared" }
  /** The end of a maintenance is not after its begin, which is the present time unless it was given. */
  | { readonly kind: "ends_before_begin"; readonly fromMs: number };

/** What became of the end of a target. */
export type TargetEndOutcome =
  /** Nothing is due of it after the instant, milliseconds since the epoch. */
  | { readonly kind: "ended"; readonly endedMs: number }
  /** No reading of such a target was ever stored. `near` has the names that are most similar. */
  | { readonly kind: "unknown"; readonly near: readonly string[] }
  /** It was to end before its last reading. */
  | { readonly kind: "has_reported"; readonly lastReadingMs: number };

/** A host with a number of GPUs, or a device, that ought to report. */
export interface DeclaredItem extends InventoryPlace {
  /** The number of GPUs of a host; undefined for a device. */
  readonly gpus: number | undefined;
}

/** How many declared hosts and devices a change has added, changed and deleted. */
export interface DeclaredChanges {
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
}

/** A time in which a host or device is not active. Those of one host or device do not overlap. */
export interface StateSpan extends InventoryPlace {
  readonly state: Exclude<InventoryState, "active">;
  readonly fromMs: number;
  /** Infinity if it has no end. */
  readonly toMs: number;
}

/** The spans of all hosts and devices that have not ended. */
export interface StateSpans {
  /** Another text after every change of the inventory's states. */
  readonly version: string;
  /** The time of the store's clock. */
  readonly nowMs: number;
  /** Undefined if they are those of the version that the caller knows. */
  readonly spans: readonly StateSpan[] | undefined;
}

/** A host or device that reported again after its decommissioning. */
export interface ReturnedItem extends InventoryPlace {
  readonly returnedAtMs: number;
}

/** Sums over the devices of the inventory. MIG instances do not count. */
export interface InventoryCounts {
  /** GPUs that were declared, by uuid or as one of a host's number. */
  readonly declared: number;
  readonly seen: number;
  /** Declared GPUs that have never reported. */
  readonly neverSeen: number;
  readonly maintenance: number;
  readonly decommissioned: number;
}
