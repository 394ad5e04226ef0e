import type { Static } from "@sinclair/typebox";
import type { InventoryFilter } from "../../domain/inventory.ts";
import type { Inventory } from "../../pipeline/store/inventory.ts";
import { encodeCursor } from "../http/parameters/cursor.ts";
import { type inventoryItemSchema, toApiInventoryItem } from "../schemas/inventory-item.ts";

/** A part of the inventory, in the API's shape. */
export interface ApiInventoryPage {
  readonly items: readonly Static<typeof inventoryItemSchema>[];
  /** The cursor of the next part; undefined at the end. */
  readonly next: string | undefined;
}

/** Lists the inventory, for REST and GraphQL. */
export class InventoryList {
  constructor(private readonly inventory: Pick<Inventory, "items">) {}

  /** @throws StoreUnavailable */
  async page(filter: InventoryFilter): Promise<ApiInventoryPage> {
    const { items, next } = await this.inventory.items(filter);
    return {
      items: items.map(toApiInventoryItem),
      next: next && encodeCursor([next.clusterId, next.hostname, next.uuid]),
    };
  }
}
