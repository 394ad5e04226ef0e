import { Elysia } from "elysia";
import { defined } from "../../../kit/defined.ts";
import type { QuarantineQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { jsonUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { limit } from "../../http/parameters/common.ts";
import { optional, text } from "../../http/parameters/parameter.ts";
import { list } from "../../schemas/envelope.ts";
import { rejectionSchema, toApiRejection } from "./rejection.ts";

/** The parameters of requests for rejected inputs. */
export const quarantineQuery = {
  source_id: optional(
    text({ maxLength: 4096, description: "Only rejected inputs of this source", example: "csv:fleet.csv" }),
  ),
  limit: limit({ meaning: "At most this many inputs, the newest ones" }),
};

/** The route that lists rejected inputs. */
export function quarantineRoutes(queries: QuarantineQueries) {
  return new Elysia({ name: "quarantine", prefix: "/api/v1/quarantine" }).get(
    "",
    async ({ query: { source_id: sourceId, limit: max } }) =>
      list((await queries.rejections(defined({ sourceId, limit: max }))).map(toApiRejection)),
    { ...accepts(quarantineQuery), ...jsonUnread, detail },
  );
}

const detail = operation({
  id: "listQuarantine",
  tag: "input",
  access: { scope: "read", selectors: "refused" },
  summary: "Rejected inputs",
  description: "Inputs that were rejected, newest first, each with its place, reason and value.",
  list: rejectionSchema,
  errors: [400, 500, 503],
});
