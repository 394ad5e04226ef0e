import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonUnread, rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { instant, single } from "../../schemas/envelope.ts";
import { faultDetailSchema, faultSchema } from "../../schemas/fault.ts";
import type { ViewOf } from "../resource.ts";
import { faultFilterOf, faultParams, faultsQuery } from "./fault-query.ts";

/** The routes that read faults. */
export function faultRoutes(viewOf: ViewOf) {
  return new Elysia({ name: "faults", prefix: "/api/v1/faults" })
    .get(
      "",
      async ({ request, query }) => {
        const { faults, next, evaluatedAt, notice } = await viewOf(request).faults.page(faultFilterOf(query));
        const more = { next_cursor: next, evaluated_at: evaluatedAt, notice };
        return listInFormat(request, { elements: faults, schema: faultSchema, more });
      },
      { ...accepts(faultsQuery), ...rowsUnread, detail: listDetail },
    )
    .get("/:id", async ({ request, params: { id } }) => single(await viewOf(request).faults.show(id)), {
      ...acceptsAt(faultParams, noQuery),
      ...jsonUnread,
      detail: showDetail,
    });
}

const listDetail = operation({
  id: "listFaults",
  tag: "faults",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Faults",
  description:
    "What is wrong with devices, hosts, jobs and clusters, those that began last first; by default, faults that have not ended. Pending faults are included: their " +
    "condition has not lasted long enough yet. notice is present if no process evaluates the rules: faults that " +
    "started after evaluated_at are then missing.",
  part: faultSchema,
  also: {
    evaluated_at: Type.Optional(instant("When the rules were last evaluated; absent if they never were")),
    notice: Type.Optional(
      Type.String({ description: "Why the list may lack faults, and what to do; absent if it is complete" }),
    ),
  },
  errors: [400, 500, 503],
});

const showDetail = operation({
  id: "getFault",
  tag: "faults",
  access: { scope: "read", selectors: "narrowed" },
  summary: "One fault",
  description: "A fault with the changes of its state.",
  single: faultDetailSchema,
  errors: [400, 404, 500, 503],
});
