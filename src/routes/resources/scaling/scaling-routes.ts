import { Elysia } from "elysia";
import { jsonUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { limit, nameOf, noQuery } from "../../http/parameters/common.ts";
import { single } from "../../schemas/envelope.ts";
import type { ResourceParts } from "../resource.ts";
import { figureNames, figureOf, figureSchema } from "./figure.ts";
import { scalingSchema, toApiScaling } from "./scaling-state.ts";

/** The parameters of requests for the coordinator's state. */
export const scalingQuery = {
  limit: limit({ meaning: "At most this many decisions that changed a count, the newest ones" }),
};

const figureParams = {
  figure: nameOf(`One of ${figureNames.join(", ")}`, "backlog"),
};

/** The routes of the coordinator's state and of its figures. */
export function scalingRoutes({ scaling, clock }: Pick<ResourceParts, "scaling" | "clock">) {
  return new Elysia({ name: "scaling", prefix: "/api/v1/scaling" })
    .get("", async ({ query: { limit: max } }) => single(toApiScaling(await scaling.read(max))), {
      ...accepts(scalingQuery),
      ...jsonUnread,
      detail: stateDetail,
    })
    .get("/:figure", async ({ params: { figure } }) => figureOf(figure, await scaling.read(1), clock.nowMs()), {
      ...acceptsAt(figureParams, noQuery),
      detail: figureDetail,
    });
}

const stateDetail = operation({
  id: "getScaling",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "Decided and actual numbers of processes",
  description:
    "How many streamers, collectors and gateways there should be, by which rules and figures, and the decisions with their reasons.",
  single: scalingSchema,
  errors: [400, 500, 503],
});

const figureDetail = operation({
  id: "getScalingFigure",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "One figure for an autoscaler",
  description:
    "A plain number, for KEDA's metrics-api scaler (valueLocation: value). If the figure is not known, or older than 30 s, the answer is 503 with the code figure_unknown, never 0.",
  plain: figureSchema,
  errors: [400, 404, 500, 503],
});
