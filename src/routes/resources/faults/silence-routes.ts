import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { FaultOrderAnswers } from "../../answers/faults/fault-orders.ts";
import { requesterOf } from "../../http/access/requester.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { single } from "../../schemas/envelope.ts";
import { silenceSchema } from "../../schemas/fault-silence.ts";
import type { ViewOf } from "../resource.ts";
import { newSilenceOf, newSilenceQuery, silenceParams, silencesQuery } from "./order-query.ts";
import { authorOf } from "./order-routes.ts";

/** The routes that list, create and end silences. */
export function silenceRoutes(orders: FaultOrderAnswers, viewOf: ViewOf) {
  return new Elysia({ name: "silences", prefix: "/api/v1/silences" })
    .get(
      "",
      async ({ request, query }) => {
        const silences = await viewOf(request).faults.silences(query.ended);
        return listInFormat(request, { elements: silences, schema: silenceSchema });
      },
      { ...accepts(silencesQuery), ...rowsUnread, detail: silencesDetail },
    )
    .post(
      "",
      async ({ request, query }) => single(await orders.silence(newSilenceOf(query), authorOf(requesterOf(request)))),
      {
        ...accepts(newSilenceQuery),
        detail: silenceDetail,
      },
    )
    .delete(
      "/:id",
      async ({ request, params: { id } }) => single(await orders.endSilence(id, authorOf(requesterOf(request)))),
      {
        ...acceptsAt(silenceParams, noQuery),
        detail: endSilenceDetail,
      },
    );
}

const silencesDetail = operation({
  id: "listFaultSilences",
  tag: "faults",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Silences",
  description:
    "Periods in which no notifications are sent for matching faults, newest first; by default, those that have not ended.",
  list: silenceSchema,
  errors: [400, 500, 503],
});

const silenceDetail = operation({
  id: "createFaultSilence",
  tag: "faults",
  access: { scope: "operate", selectors: "narrowed" },
  summary: "Silence faults for a while",
  description:
    "No notifications are sent for matching faults until end_time; they are still listed. A fault matches if it " +
    "matches every given parameter. A silence of a caller with a selector applies only to faults within the " +
    "selector.",
  single: silenceSchema,
  errors: [400, 413, 415, 500, 503],
});

const endSilenceDetail = operation({
  id: "endFaultSilence",
  tag: "faults",
  access: { scope: "operate", selectors: "narrowed" },
  summary: "End a silence",
  description:
    "Ends a silence early, and returns it as it is then. A caller with a selector may end only silences that callers with the same selector have created.",
  single: silenceSchema,
  errors: [400, 404, 413, 415, 500, 503],
});
