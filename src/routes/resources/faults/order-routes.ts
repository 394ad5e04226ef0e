import { Elysia } from "elysia";
import type { Author, FaultOrderAnswers } from "../../answers/faults/fault-orders.ts";
import { type Requester, requesterOf } from "../../http/access/requester.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { single } from "../../schemas/envelope.ts";
import { type ApiFaultOrder, faultOrderSchema } from "../../schemas/fault-order.ts";
import { faultParams } from "./fault-query.ts";
import { acknowledgeQuery, remediationOf, remediationQuery } from "./order-query.ts";

/** The caller of a request as the author of an order: a caller with a selector reaches only what is within it. */
export const authorOf = ({ caller: { grant } }: Requester): Author => ({ by: grant.name, within: grant.selector });

/** Answers with 202 what is not carried out yet. */
function ordered(set: { status?: number | string }, order: ApiFaultOrder) {
  if (order.outcome === "open") set.status = 202;
  return single(order);
}

/** The routes by which operators acknowledge faults, and tell of resets and reboots. */
export function faultOrderRoutes(orders: FaultOrderAnswers) {
  return new Elysia({ name: "fault-orders", prefix: "/api/v1" })
    .post(
      "/faults/:id/acknowledge",
      async ({ request, set, params: { id }, query: { comment = "" } }) =>
        ordered(set, await orders.acknowledge(id, comment, authorOf(requesterOf(request)))),
      { ...acceptsAt(faultParams, acknowledgeQuery), detail: acknowledgeDetail },
    )
    .post(
      "/remediations",
      async ({ request, set, query }) =>
        ordered(set, await orders.remediate(remediationOf(query, requesterOf(request).caller.grant.name))),
      { ...accepts(remediationQuery), detail: remediationDetail },
    );
}

const acknowledgeDetail = operation({
  id: "acknowledgeFault",
  tag: "faults",
  access: { scope: "operate", selectors: "narrowed" },
  summary: "Acknowledge a fault",
  description:
    "Records that an operator has seen a firing fault. This ends an XID, and what follows from XIDs. A fault " +
    "that is already acknowledged stays as it is.",
  single: faultOrderSchema,
  accepted: "The order is stored, but no process that evaluates the rules has carried it out within 3 seconds",
  errors: [400, 404, 413, 415, 500, 503],
});

const remediationDetail = operation({
  id: "tellRemediation",
  tag: "faults",
  access: { scope: "operate" },
  summary: "Report a reset or reboot",
  description:
    "Records that a device was reset or a host rebooted, which ends its XIDs. A reset that restarts the " +
    "device's energy counter is detected without this.",
  single: faultOrderSchema,
  accepted: "The order is stored, but no process that evaluates the rules has carried it out within 3 seconds",
  errors: [400, 404, 413, 415, 500, 503],
});
