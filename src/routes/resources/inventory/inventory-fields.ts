import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import type { ApiInventoryPage } from "../../answers/inventory-list.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { endedTargetSchema, inventoryItemSchema } from "../../schemas/inventory-item.ts";
import {
  declarationOf,
  declareQuery,
  decommissionQuery,
  endTargetQuery,
  inventoryChangeOf,
  inventoryFilterOf,
  inventoryQuery,
  inventorySubjectOf,
  maintenanceQuery,
  restoreQuery,
  subjectQuery,
  targetEndOf,
} from "./inventory-query.ts";

/** The query for the hosts and devices that ought to be there. */
export function inventoryFields({ types, field }: SchemaKit): FieldMap {
  const page = new GraphQLObjectType<ApiInventoryPage>({
    name: "InventoryPage",
    description: "A part of the inventory",
    fields: {
      items: { type: types.listOf(inventoryItemSchema), extensions: { size: () => 1 } },
      nextCursor: {
        type: GraphQLString,
        description: "The cursor of the next part; null at the end",
        resolve: ({ next }) => next,
      },
    },
  });
  return {
    inventory: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(page),
      description: "Hosts and devices that have reported or were declared, with their states",
      takes: inventoryQuery,
      size: limitOf,
      resolve: (_, query, { allParts }) => allParts.inventoryList.page(inventoryFilterOf(query)),
    }),
  };
}

/** The mutations of the inventory; each returns the item as it is then. */
export function inventoryMutations(kit: SchemaKit): FieldMap {
  return { ...stateMutations(kit), ...declarationMutations(kit), ...targetMutations(kit) };
}

function stateMutations({ types, field }: SchemaKit): FieldMap {
  const item = new GraphQLNonNull(types.of(inventoryItemSchema));
  return {
    startMaintenance: field({
      scope: "operate",
      type: item,
      description: "Puts a host or device under maintenance: what it does not report then is not missing",
      takes: maintenanceQuery,
      resolve: (_, query, { allParts }) => allParts.inventory.change(inventoryChangeOf("maintenance", query)),
    }),
    decommission: field({
      scope: "operate",
      type: item,
      description:
        "Decommissions a host with its devices, or a device: nothing is expected of it until it reports again",
      takes: decommissionQuery,
      resolve: (_, query, { allParts }) => allParts.inventory.change(inventoryChangeOf("decommission", query)),
    }),
    restore: field({
      scope: "operate",
      type: item,
      description: "Ends the maintenance and the decommissioning of a host or device",
      takes: restoreQuery,
      resolve: (_, query, { allParts }) => allParts.inventory.change(inventoryChangeOf("restore", query)),
    }),
  };
}

function targetMutations({ types, field }: SchemaKit): FieldMap {
  return {
    endTarget: field({
      scope: "operate",
      type: new GraphQLNonNull(types.of(endedTargetSchema)),
      description:
        "Ends a target that was removed from the list while no streamer read it: nothing is due until a later reading",
      takes: endTargetQuery,
      resolve: (_, query, { allParts }) => allParts.inventory.endTarget(targetEndOf(query)),
    }),
  };
}

function declarationMutations({ types, field }: SchemaKit): FieldMap {
  const item = new GraphQLNonNull(types.of(inventoryItemSchema));
  return {
    declare: field({
      scope: "operate",
      type: item,
      description:
        "Declares a device, or the number of a host's GPUs: it is expected before it reports for the first time",
      takes: declareQuery,
      resolve: (_, query, { allParts }) => allParts.inventory.declare(declarationOf(query)),
    }),
    withdrawDeclaration: field({
      scope: "operate",
      type: item,
      description: "Deletes what operators have declared of a host or device; returns the item as it was",
      takes: subjectQuery,
      resolve: (_, query, { allParts }) => allParts.inventory.withdraw(inventorySubjectOf(query)),
    }),
  };
}
