import type {
  DeclaredChanges,
  DeclaredItem,
  InventoryChange,
  InventoryCounts,
  InventoryFilter,
  InventoryOutcome,
  InventoryPage,
  InventorySubject,
  ReturnedItem,
  TargetEndOutcome,
} from "../../domain/inventory.ts";

/** The ends of targets that no streamer saw leave the list. */
export interface TargetEnds {
  /** Nothing is due of the target after the instant, until a later reading.
   *  @param sourceId the target's name in the coverage, such as scrape:lab:gpu-01:9400
   *  @param atMs milliseconds since the epoch; undefined: now, by the clock of the store */
  end(sourceId: string, atMs: number | undefined): Promise<TargetEndOutcome>;
}

/** The hosts and devices that ought to be there: those that have reported, and those that were declared. Changes run one at a time,
 *  in whatever process. Every call throws StoreUnavailable if the store does not answer. */
export interface Inventory {
  readonly targets: TargetEnds;
  items(filter: InventoryFilter): Promise<InventoryPage>;
  counts(): Promise<InventoryCounts>;
  /** Changes the state of a host or device. The same change a second time changes nothing. */
  change(change: InventoryChange): Promise<InventoryOutcome>;
  /** Adds what operators declare to what they have declared before. Of two items of one device or host, the last counts. */
  declare(items: readonly DeclaredItem[]): Promise<DeclaredChanges>;
  /** Withdraws what operators have declared of a host or device; it remains if it has reported or if the file has it.
   *  @returns the item as it was */
  withdraw(subject: InventorySubject): Promise<InventoryOutcome>;
  /** Replaces what the file has declared. */
  replaceFile(items: readonly DeclaredItem[]): Promise<DeclaredChanges>;
  /** What has reported again although it was decommissioned, since the last call in any process: each return once. */
  noteReturned(): Promise<readonly ReturnedItem[]>;
}
