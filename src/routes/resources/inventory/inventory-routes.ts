import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { InventoryAnswers } from "../../answers/inventory-answers.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { single } from "../../schemas/envelope.ts";
import { endedTargetSchema, inventoryItemSchema } from "../../schemas/inventory-item.ts";
import type { ViewOf } from "../resource.ts";
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

/** The routes of the inventory. */
export function inventoryRoutes(inventory: InventoryAnswers, viewOf: ViewOf) {
  return new Elysia({ name: "inventory", prefix: "/api/v1/inventory" })
    .get(
      "",
      async ({ request, query }) => {
        const { items, next } = await viewOf(request).inventoryList.page(inventoryFilterOf(query));
        return listInFormat(request, { elements: items, schema: inventoryItemSchema, more: { next_cursor: next } });
      },
      { ...accepts(inventoryQuery), ...rowsUnread, detail: listDetail },
    )
    .post(
      "/maintenance",
      async ({ query }) => single(await inventory.change(inventoryChangeOf("maintenance", query))),
      { ...accepts(maintenanceQuery), detail: maintenanceDetail },
    )
    .post(
      "/decommission",
      async ({ query }) => single(await inventory.change(inventoryChangeOf("decommission", query))),
      { ...accepts(decommissionQuery), detail: decommissionDetail },
    )
    .post("/restore", async ({ query }) => single(await inventory.change(inventoryChangeOf("restore", query))), {
      ...accepts(restoreQuery),
      detail: restoreDetail,
    })
    .post("/declare", async ({ query }) => single(await inventory.declare(declarationOf(query))), {
      ...accepts(declareQuery),
      detail: declareDetail,
    })
    .post("/end-target", async ({ query }) => single(await inventory.endTarget(targetEndOf(query))), {
      ...accepts(endTargetQuery),
      detail: endTargetDetail,
    })
    .delete("", async ({ query }) => single(await inventory.withdraw(inventorySubjectOf(query))), {
      ...accepts(subjectQuery),
      detail: withdrawDetail,
    });
}

const listDetail = operation({
  id: "listInventory",
  tag: "inventory",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Expected hosts and devices",
  description:
    "Every host and device that has reported or was declared, with its state, ordered by cluster and host; a host comes before its devices. " +
    "A GPU that only its MIG instances report is listed only after its own state has been changed.",
  part: inventoryItemSchema,
  errors: [400, 500, 503],
});

const changed = {
  tag: "inventory",
  access: { scope: "operate" },
  single: inventoryItemSchema,
  errors: [400, 404, 413, 415, 500, 503],
} as const;

const maintenanceDetail = operation({
  ...changed,
  id: "startMaintenance",
  summary: "Put a host or device under maintenance",
  description:
    "During maintenance, readings that do not arrive do not count as missing. Another maintenance is added to " +
    "earlier ones: together they last until the last one ends. Returns the item as it is now.",
});

const decommissionDetail = operation({
  ...changed,
  id: "decommission",
  summary: "Decommission a host or device",
  description:
    "From then on, nothing is expected of the device, or of the devices that the host has now. A device becomes " +
    "active again with its first record that is more than 10 minutes newer. A device that is already " +
    "decommissioned stays so; start_time, if given, replaces the earlier one.",
});

const restoreDetail = operation({
  ...changed,
  id: "restore",
  summary: "End maintenance and decommissioning",
  description:
    "Restoring a host also restores the devices that were decommissioned with it. A device stays under maintenance as long as its host does.",
});

const declareDetail = operation({
  ...changed,
  id: "declare",
  summary: "Declare a device, or the number of a host's GPUs",
  description:
    "The device, or the host's GPUs, are then expected even before they first report. A later declaration of the same host or device replaces it.",
});

const endTargetDetail = operation({
  ...changed,
  single: endedTargetSchema,
  id: "endTarget",
  summary: "End a target",
  description:
    "For a target that was removed from the list while no streamer read it: no more readings are due from it, unless it is read again. Its devices are still expected until they are " +
    "decommissioned.",
});

const withdrawDetail = operation({
  ...changed,
  id: "withdrawDeclaration",
  summary: "Delete a declaration",
  description:
    "Deletes what operators have declared about a host or device, which stays in the inventory if it has " +
    "reported, or if INVENTORY_FILE declares it. Returns the item as it was.",
});
