import { type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { UnusablePush } from "../../../pipeline/source/push.ts";
import { ApiError } from "../../http/api-error.ts";
import { operation } from "../../http/operation.ts";
import { acceptsBody } from "../../http/parameters/accepts.ts";
import { nameOf } from "../../http/parameters/common.ts";
import { optional } from "../../http/parameters/parameter.ts";
import { single } from "../../schemas/envelope.ts";
import type { ResourceParts } from "../resource.ts";
import { bodyErrorOf, pushed } from "./body-errors.ts";
import { pushedBodyOf, pushTypes } from "./pushed-body.ts";
import { pushResultSchema, toApiPush } from "./push-result.ts";
import { senderOf } from "./sender.ts";

const pushQuery = {
  hostname: optional(
    nameOf(
      "Host of the records that name none, such as a table of nvidia-smi; without it, they are rejected",
      "gpu-host-1",
    ),
  ),
  cluster_id: optional(nameOf("Cluster of the records that name none; by default CLUSTER_ID", "local-cluster")),
};

/** Idempotency-Key may have so many characters. */
const keyMaxLength = 255;

/** The route that takes pushed telemetry. */
export function pushRoutes({
  push,
  pushMaxBytes: maxBytes,
  clusterId,
}: Pick<ResourceParts, "push" | "pushMaxBytes" | "clusterId">) {
  const limit = { kind: pushed, maxBytes };
  return new Elysia({ name: "push", prefix: "/api/v1/telemetry" }).post(
    "",
    async ({ request, query, set }) => {
      const body = pushedBodyOf(request, {
        ...{ clusterId: query.cluster_id ?? clusterId, hostname: query.hostname, maxBytes },
      });
      const sender = senderOf(request, "push");
      const idempotencyKey = idempotencyKeyOf(request.headers);
      const { problem, ...result } = await push
        .take({ body, ...sender, idempotencyKey }, request.signal)
        .catch((error: unknown) => Promise.reject(bodyErrorOf(error, limit)));
      const data = toApiPush(sender.sourceId, body.format, result);
      if (problem !== undefined) throw bodyErrorOf(partly(problem, data), limit, { taken: data });
      set.status = 202;
      return single(data);
    },
    { ...acceptsBody(pushQuery), detail: pushDetail },
  );
}

function idempotencyKeyOf(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key") ?? undefined;
  if (key === undefined || (key !== "" && key.length <= keyMaxLength)) return key;
  throw new ApiError(400, "invalid_parameter", {
    message: `Idempotency-Key has ${key.length} characters; expected 1 to ${keyMaxLength}`,
    details: { header: "idempotency-key" },
  });
}

/** Says of a body of which only the beginning was used what that was. */
function partly({ problem, message }: UnusablePush, { rows }: ReturnType<typeof toApiPush>): UnusablePush {
  return new UnusablePush(problem, `${message}; what was before that is taken (records: ${rows})`);
}

const record = {
  ...{ timestamp: "2025-07-18T20:42:34Z", uuid: "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4", gpu_id: 4 },
  ...{ hostname: "mtv5-dgx1-hgpu-032", gpu_utilization: 85.5, power_draw: 320.1 },
};
const header = Object.keys(record).join();
const records = Type.Unsafe<readonly object[]>({
  anyOf: [
    { type: "array", items: {} },
    { type: "object", additionalProperties: true },
  ],
  description:
    "Records, with the members of the API's records or the columns of a CSV file; or one of them; or an object whose data has them",
});
const lines = Type.String({ description: "A record a line" });

function bodyContent(type: string): { readonly schema: TSchema; readonly example: unknown } {
  if (type === "application/json") return { schema: records, example: [record] };
  if (type === "text/csv") {
    const example = `${header}\n${Object.values(record).join()}\n`;
    return { schema: Type.String({ description: "A table, in any form that a file may have" }), example };
  }
  return { schema: lines, example: `${JSON.stringify(record)}\n` };
}

const pushDetail = operation({
  id: "pushTelemetry",
  tag: "telemetry",
  access: { scope: "write" },
  summary: "Push telemetry",
  description:
    "Takes records as JSON, NDJSON or CSV, also compressed (Content-Encoding gzip or zstd), of up to PUSH_MAX_MIB, and answers when they are in the " +
    "queue; without etcd, when they are stored. A record that cannot be used does not affect the others: it is reported in the answer, and kept in quarantine. " +
    "The same content, with the same Idempotency-Key if there is one, is stored once; so a push that got no answer can be sent again.",
  body: { required: true, content: Object.fromEntries(pushTypes.map((type) => [type, bodyContent(type)])) },
  single: pushResultSchema,
  status: 202,
  errors: [400, 413, 415, 500, 503],
});
