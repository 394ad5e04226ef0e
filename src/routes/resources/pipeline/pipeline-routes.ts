import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { ResourceParts } from "../resource.ts";
import { jsonUnread, rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { limit, nameOf, noQuery } from "../../http/parameters/common.ts";
import { optional, text } from "../../http/parameters/parameter.ts";
import { single } from "../../schemas/envelope.ts";
import { pipelineSchema, toApiPipeline } from "./pipeline-state.ts";
import { deadLetterSchema } from "../../schemas/dead-letter.ts";

/** The parameters of requests for the list of dead letters. */
export const deadLettersQuery = {
  limit: limit(),
  cursor: optional(
    text({
      maxLength: 64,
      description: ({ name }) => `${name("next_cursor")} of the previous answer; selects the dead letters that follow`,
      example: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2",
    }),
  ),
};

/** The path parameter of one dead letter. */
export const letterParams = { id: nameOf("The message's id", "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2") };

/** The routes of the pipeline's state and of its dead letters. */
export function pipelineRoutes({ pipeline, deadLetters }: Pick<ResourceParts, "pipeline" | "deadLetters">) {
  return new Elysia({ name: "pipeline", prefix: "/api/v1/pipeline" })
    .get("", async () => single(toApiPipeline(await pipeline.state())), {
      ...accepts(noQuery),
      ...jsonUnread,
      detail: pipelineDetail,
    })
    .get(
      "/dead-letters",
      async ({ request, query: { limit: max, cursor } }) => {
        const { letters, next } = await deadLetters.page(max, cursor);
        return listInFormat(request, { elements: letters, schema: deadLetterSchema, more: { next_cursor: next } });
      },
      { ...accepts(deadLettersQuery), ...rowsUnread, detail: listDetail },
    )
    .get("/dead-letters/:id", async ({ params: { id } }) => single(await deadLetters.show(id)), {
      ...acceptsAt(letterParams, noQuery),
      detail: showDetail,
    })
    .post("/dead-letters/:id/redrive", async ({ params: { id } }) => single(await deadLetters.redrive(id)), {
      ...acceptsAt(letterParams, noQuery),
      detail: redriveDetail,
    })
    .delete("/dead-letters/:id", async ({ params: { id } }) => single(await deadLetters.delete(id)), {
      ...acceptsAt(letterParams, noQuery),
      detail: deleteDetail,
    });
}

const pipelineDetail = operation({
  id: "getPipeline",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "State of the pipeline",
  description:
    "The depth of the queue, the numbers of rejected inputs and of conflicting values, how much history waits to be settled, and the services of the process that answers.",
  single: pipelineSchema,
  errors: [400, 500, 503],
});

const listDetail = operation({
  id: "listDeadLetters",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "Dead letters",
  description:
    "Messages whose deliveries failed, oldest first, each with the error of the last delivery; next_cursor continues " +
    "the list.",
  part: deadLetterSchema,
  errors: [400, 500, 503],
});

const showDetail = operation({
  id: "getDeadLetter",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "One dead letter",
  description: "A message whose deliveries failed, with the error of the last delivery.",
  single: deadLetterSchema,
  errors: [400, 404, 500, 503],
});

const redriveDetail = operation({
  id: "redriveDeadLetter",
  tag: "pipeline",
  access: { scope: "operate" },
  summary: "Deliver a message again",
  description: "Puts the message back into the queue with 0 attempts. Returns the dead letter as it was.",
  single: deadLetterSchema,
  errors: [400, 404, 413, 415, 500, 503],
});

const deleteDetail = operation({
  id: "deleteDeadLetter",
  tag: "pipeline",
  access: { scope: "operate" },
  summary: "Delete a message permanently",
  description:
    "The message's records are lost, unless they are already stored or their source is read again. Returns the dead letter as it was.",
  single: deadLetterSchema,
  errors: [400, 404, 413, 415, 500, 503],
});
