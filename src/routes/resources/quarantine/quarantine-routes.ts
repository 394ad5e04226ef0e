import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { RejectionFilter } from "../../../domain/query.ts";
import { defined } from "../../../kit/defined.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { limit, noQuery } from "../../http/parameters/common.ts";
import { integer, optional, text, type ValuesOf } from "../../http/parameters/parameter.ts";
import { single } from "../../schemas/envelope.ts";
import type { ResourceParts } from "../resource.ts";
import { rejectionSchema, toApiRejection } from "./rejection.ts";

/** The parameters of requests for rejected inputs. */
export const quarantineQuery = {
  source_id: optional(
    text({ maxLength: 4096, description: "Only rejected inputs of this source", example: "csv:fleet.csv" }),
  ),
  push_id: optional(
    text({
      maxLength: 40,
      description: "Only rejected inputs of this push, as its answer names it",
      example: "0f343b0931126a20f133d67c2b018a3b1f3a6f2e",
    }),
  ),
  limit: limit({ meaning: "At most this many inputs, the newest ones" }),
  cursor: optional(
    integer({
      minimum: 1,
      maximum: 999_999_999_999_999,
      description: "next_cursor of the previous answer, the id of its last input; selects the inputs before it",
    }),
  ),
};

/** The path parameter of one rejected input. */
export const rejectionParams = {
  id: integer({ minimum: 1, maximum: 999_999_999_999_999, description: "The rejected input's id", example: 7 }),
};

/** Makes a filter from the values of a request's parameters. */
export function rejectionFilterOf(values: ValuesOf<typeof quarantineQuery>): RejectionFilter {
  const { limit: max, source_id: sourceId, push_id: pushId, cursor: beforeId } = values;
  return { limit: max, ...defined({ sourceId, pushId, beforeId }) };
}

type QuarantineParts = Pick<ResourceParts, "quarantine" | "rejectedInputs">;

/** The routes that list, redrive and delete rejected inputs. */
export function quarantineRoutes({ quarantine, rejectedInputs }: QuarantineParts) {
  return new Elysia({ name: "quarantine", prefix: "/api/v1/quarantine" })
    .get(
      "",
      async ({ request, query }) => {
        const rejections = (await quarantine.rejections(rejectionFilterOf(query))).map(toApiRejection);
        const next = rejections.length < query.limit ? undefined : rejections.at(-1)?.id;
        const more = { next_cursor: next?.toString() };
        return listInFormat(request, { elements: rejections, schema: rejectionSchema, more });
      },
      { ...accepts(quarantineQuery), ...rowsUnread, detail: listDetail },
    )
    .post("/:id/redrive", async ({ params: { id } }) => single(toApiRejection(await rejectedInputs.redrive(id))), {
      ...acceptsAt(rejectionParams, noQuery),
      detail: redriveDetail,
    })
    .delete("/:id", async ({ params: { id } }) => single(toApiRejection(await rejectedInputs.delete(id))), {
      ...acceptsAt(rejectionParams, noQuery),
      detail: deleteDetail,
    });
}

const listDetail = operation({
  id: "listQuarantine",
  tag: "input",
  access: { scope: "read", selectors: "refused" },
  summary: "Rejected inputs",
  description: "Inputs that were rejected, newest first, each with its place, reason and value.",
  part: rejectionSchema,
  errors: [400, 500, 503],
});

const redriveDetail = operation({
  id: "redriveRejection",
  tag: "input",
  access: { scope: "operate" },
  summary: "Try a rejected row again",
  description:
    "Reads a rejected row of a file again, for example after an upgrade that accepts it, and stores its values. " +
    "The row must have the columns of dcgm-exporter's table. Returns the rejected input as it was. If it still " +
    "cannot be used, the answer is 400 with the reason, and the input stays in quarantine.",
  single: rejectionSchema,
  errors: [400, 404, 413, 415, 500, 503],
});

const deleteDetail = operation({
  id: "deleteRejection",
  tag: "input",
  access: { scope: "operate" },
  summary: "Delete a rejected input permanently",
  description: "If its source is read again, the input is rejected again. Returns the rejected input as it was.",
  single: rejectionSchema,
  errors: [400, 404, 413, 415, 500, 503],
});
