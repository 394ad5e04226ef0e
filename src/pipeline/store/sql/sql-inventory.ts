import { similarNames } from "../../../kit/similar-names.ts";
import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import { deleteDeclared, deleteUndeclared, upsertDeclared } from "../../../db/sql/declared-items.ts";
import { endSource, selectLastReading, selectSourceIds } from "../../../db/sql/end-source.ts";
import {
  endSpans,
  insertSpans,
  lockInventory,
  noteReturned,
  repeatMaintenance,
  selectNames,
  selectSubjects,
} from "../../../db/sql/inventory-changes.ts";
import { countInventory, selectInventory } from "../../../db/sql/select-inventory.ts";
import type {
  DeclaredChanges,
  DeclaredItem,
  Declarer,
  InventoryChange,
  InventoryCounts,
  InventoryFilter,
  InventoryItem,
  InventoryOutcome,
  InventoryPage,
  InventoryPlace,
  InventorySubject,
  ReturnedItem,
  TargetEndOutcome,
} from "../../../domain/inventory.ts";
import type { Inventory } from "../inventory.ts";
import { decommission } from "./decommissioning.ts";

/** The inventory in SQL. Its changes wait for each other, so each one sees what the one before it has said. */
export class SqlInventory implements Inventory {
  readonly targets: Inventory["targets"] = { end: (sourceId, atMs) => this.endTarget(sourceId, atMs) };

  constructor(
    private readonly writer: SqlClient,
    private readonly reader: SqlClient,
  ) {}

  async items(filter: InventoryFilter): Promise<InventoryPage> {
    const found = await selectInventory(this.reader, filter);
    const items = found.slice(0, filter.limit);
    const last = items.at(-1);
    return { items, next: found.length > items.length && last !== undefined ? placeOf(last) : undefined };
  }

  counts(): Promise<InventoryCounts> {
    return countInventory(this.reader);
  }

  change(change: InventoryChange): Promise<InventoryOutcome> {
    return this.writer.transaction(async (transaction) => {
      const nowMs = await lockInventory(transaction);
      const found = await onlyOne(transaction, change.subject);
      if (!("place" in found)) return found;
      const refusal = await apply(transaction, found.place, { ...change, nowMs });
      if (refusal !== undefined) return refusal;
      return changedItem(transaction, found.place);
    });
  }

  async declare(items: readonly DeclaredItem[]): Promise<DeclaredChanges> {
    return this.writer.transaction(async (transaction) => {
      await lockInventory(transaction);
      return { ...(await upsertDeclared(transaction, lastOfEach(items), "operator")), deleted: 0 };
    });
  }

  withdraw(subject: InventorySubject): Promise<InventoryOutcome> {
    return this.writer.transaction(async (transaction) => {
      await lockInventory(transaction);
      const found = await onlyOne(transaction, subject);
      if (!("place" in found)) return found;
      const changed = await changedItem(transaction, found.place);
      const deleted = await deleteDeclared(transaction, found.place, "operator");
      return deleted === 0 ? { kind: "not_declared" } : changed;
    });
  }

  replaceFile(items: readonly DeclaredItem[]): Promise<DeclaredChanges> {
    const distinct = lastOfEach(items);
    const by: Declarer = "file";
    return this.writer.transaction(async (transaction) => {
      await lockInventory(transaction);
      const deleted = await deleteUndeclared(transaction, distinct, by);
      return { ...(await upsertDeclared(transaction, distinct, by)), deleted };
    });
  }

  private endTarget(sourceId: string, atMs: number | undefined): Promise<TargetEndOutcome> {
    return this.writer.transaction(async (transaction) => {
      const nowMs = await lockInventory(transaction);
      const lastReadingMs = await selectLastReading(transaction, sourceId);
      if (lastReadingMs === undefined) {
        return { kind: "unknown", near: similarNames(sourceId, await selectSourceIds(transaction)) };
      }
      const endedMs = atMs ?? Math.max(nowMs, Math.ceil(lastReadingMs));
      if (endedMs < lastReadingMs) return { kind: "has_reported", lastReadingMs };
      endSource(transaction, sourceId, endedMs);
      return { kind: "ended", endedMs };
    });
  }

  noteReturned(): Promise<readonly ReturnedItem[]> {
    return noteReturned(this.writer);
  }
}

type Found = { readonly place: InventoryPlace } | Exclude<InventoryOutcome, { readonly kind: "changed" }>;

async function onlyOne(transaction: SqlTransaction, subject: InventorySubject): Promise<Found> {
  const places = await selectSubjects(transaction, subject);
  const [place] = places;
  if (place === undefined) {
    const column = subject.uuid === undefined ? "hostname" : "uuid";
    const names = await selectNames(transaction, column);
    return { kind: "unknown", near: similarNames(subject[column] ?? "", names) };
  }
  if (places.length === 1) return { place };
  return { kind: "several_clusters", clusterIds: places.map(({ clusterId }) => clusterId) };
}

async function changedItem(transaction: SqlTransaction, place: InventoryPlace): Promise<InventoryOutcome> {
  // of a device, the list may have another place than the inventory's file
  const filter = place.uuid === "" ? place : { uuid: place.uuid };
  const [item] = await selectInventory(transaction, { ...filter, limit: 1 });
  return item === undefined ? { kind: "unknown", near: [] } : { kind: "changed", item };
}

/** @returns why the change is refused; undefined if it was made */
async function apply(
  transaction: SqlTransaction,
  place: InventoryPlace,
  { action, nowMs, fromMs, toMs, note }: InventoryChange & { readonly nowMs: number },
): Promise<InventoryOutcome | undefined> {
  if (action === "decommission") return decommission(transaction, place, { nowMs, fromMs, note });
  const atMs = fromMs ?? nowMs;
  if (action === "restore") {
    await endSpans(transaction, place, { atMs, note });
    return undefined;
  }
  if (toMs !== undefined && toMs <= atMs) return { kind: "ends_before_begin", fromMs: atMs };
  const span = { ...place, fromMs: atMs, toMs, note };
  if (await repeatMaintenance(transaction, span, fromMs === undefined)) return undefined;
  await insertSpans(transaction, [{ ...span, state: "maintenance" }]);
  return undefined;
}

function placeOf({ clusterId, hostname, uuid }: InventoryItem): InventoryPlace {
  return { clusterId, hostname, uuid };
}

function lastOfEach(items: readonly DeclaredItem[]): DeclaredItem[] {
  const keyOf = ({ clusterId, hostname, uuid }: DeclaredItem): string =>
    uuid === "" ? JSON.stringify([clusterId, hostname]) : uuid;
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}
