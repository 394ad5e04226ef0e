import { Elysia } from "elysia";
import type { TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { operation } from "../../http/operation.ts";
import { accepts, quarantineQuery } from "../../http/parameters.ts";
import { list } from "../../schemas/envelope.ts";
import { rejectionSchema, toApiRejection } from "./rejection.ts";

/** What was rejected. */
export function quarantineRoutes(queries: TelemetryQueries) {
  return new Elysia({ name: "quarantine", prefix: "/api/v1/quarantine" }).get(
    "",
    async ({ query: { source_id, limit = 100 } }) => {
      const filter = source_id === undefined ? { limit } : { sourceId: source_id, limit };
      return list((await queries.rejections(filter)).map(toApiRejection));
    },
    { ...accepts(quarantineQuery), detail },
  );
}

const detail = operation({
  id: "listQuarantine",
  tag: "input",
  summary: "Rejected inputs",
  description: "Inputs that could not be used, with place, reason and value; the newest first.",
  list: rejectionSchema,
  errors: [400, 500, 503],
});
