import { endedTargetSchema, inventoryItemSchema } from "../../schemas/inventory-item.ts";
import { noFields, type Resource } from "../resource.ts";
import { inventoryFields, inventoryMutations } from "./inventory-fields.ts";
import { inventoryRoutes } from "./inventory-routes.ts";

/** The hosts and devices that ought to be there. */
export const inventory: Resource = {
  schemas: [inventoryItemSchema, endedTargetSchema],
  routes: (parts) => [inventoryRoutes(parts.inventory, parts.viewOf)],
  fields: (kit) => ({ ...noFields, query: inventoryFields(kit), mutation: inventoryMutations(kit) }),
};
