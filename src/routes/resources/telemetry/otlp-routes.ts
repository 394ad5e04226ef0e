import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { OtlpBody, OtlpFormat } from "../../../pipeline/source/otlp.ts";
import type { PushResult } from "../../../pipeline/source/push.ts";
import { WriteCounts } from "../../../pipeline/source/remote-write.ts";
import { operation } from "../../http/operation.ts";
import { acceptsBody } from "../../http/parameters/accepts.ts";
import type { ResourceParts } from "../resource.ts";
import { futureText } from "./push-result.ts";
import { senderOf } from "./sender.ts";
import { badBody, bodyErrorOf, unsupportedHeader, written } from "./body-errors.ts";

const formats: Readonly<Record<string, OtlpFormat>> = {
  "application/x-protobuf": "protobuf",
  "application/json": "json",
};
const packings: Readonly<Record<string, OtlpBody["packing"]>> = { "": undefined, identity: undefined, gzip: "gzip" };

/** What was not taken, in OTLP's own form. */
export const otlpAnswerSchema = Type.Object(
  {
    partialSuccess: Type.Optional(
      Type.Object({
        rejectedDataPoints: Type.String({ description: "How many data points were rejected" }),
        errorMessage: Type.String({ description: "Why, of the first of them; a warning if none was rejected" }),
      }),
    ),
  },
  {
    $id: "OtlpAnswer",
    description: "ExportMetricsServiceResponse of OTLP",
    examples: [
      {
        partialSuccess: { rejectedDataPoints: "1", errorMessage: "hw.energy is a sum of deltas; send cumulative sums" },
      },
    ],
  },
);

/** The route that takes metrics by OTLP/HTTP. */
export function otlpRoutes({
  otlp,
  writeMaxBytes: maxBytes,
  clusterId,
}: Pick<ResourceParts, "otlp" | "writeMaxBytes" | "clusterId">) {
  const limit = { kind: written, maxBytes };
  return new Elysia({ name: "otlp", prefix: "/v1/metrics" }).post(
    "",
    async ({ request }) => {
      const { format, packing } = formOf(request);
      // an export without metrics has no byte in protobuf
      const bytes = request.body ?? (format === "protobuf" ? new Blob([]).stream() : null);
      if (bytes === null) throw badBody("The body is empty");
      const refused = { count: 0, message: "" };
      const body = { format, packing, bytes, clusterId, refused, counts: new WriteCounts() };
      const result = await otlp
        .take({ body, ...senderOf(request, "otlp"), idempotencyKey: undefined }, request.signal)
        .catch((error: unknown) => Promise.reject(bodyErrorOf(error, limit)));
      if (result.problem !== undefined) throw bodyErrorOf(result.problem, limit);
      return answerIn(format, answerOf(body, result));
    },
    { ...acceptsBody({}), detail: otlpDetail },
  );
}

function formOf({ headers }: Request): Pick<OtlpBody, "format" | "packing"> {
  const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const format = Object.hasOwn(formats, type) ? formats[type] : undefined;
  if (format === undefined) throw unsupportedHeader("content-type", type, Object.keys(formats));
  const coding = (headers.get("content-encoding") ?? "").trim().toLowerCase();
  if (!Object.hasOwn(packings, coding)) throw unsupportedHeader("content-encoding", coding, ["gzip", "identity"]);
  return { format, packing: packings[coding] };
}

/** Source: https://opentelemetry.io/docs/specs/otlp/#partial-success-1 */
function answerOf(
  { refused }: OtlpBody,
  { rejectedCount, rejected: [first], future }: PushResult,
): Static<typeof otlpAnswerSchema> {
  const count = refused.count + rejectedCount;
  // a message with no rejected point is a warning
  if (count === 0 && future !== undefined)
    return { partialSuccess: { rejectedDataPoints: "0", errorMessage: futureText(future) } };
  if (count === 0) return {};
  return {
    partialSuccess: { rejectedDataPoints: String(count), errorMessage: refused.message || (first?.message ?? "") },
  };
}

/** An answer is written as the request is. */
function answerIn(format: OtlpFormat, answer: Static<typeof otlpAnswerSchema>): Response {
  if (format === "json") return Response.json(answer);
  const writer = new BinaryWriter();
  const { partialSuccess } = answer;
  if (partialSuccess !== undefined) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int64(partialSuccess.rejectedDataPoints);
    writer.tag(2, WireType.LengthDelimited).string(partialSuccess.errorMessage).join();
  }
  return new Response(writer.finish(), { headers: { "content-type": "application/x-protobuf" } });
}

const message = Type.String({ format: "binary", description: "ExportMetricsServiceRequest" });
const json = Type.Object(
  { resourceMetrics: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }))) },
  { additionalProperties: true, description: "ExportMetricsServiceRequest in OTLP's JSON" },
);

const otlpDetail = operation({
  id: "exportMetrics",
  tag: "telemetry",
  access: { scope: "write" },
  summary: "Take metrics by OTLP/HTTP",
  description:
    "Takes exports of metrics of OpenTelemetry's collectors, and answers when the records of GPUs in them are in the queue; without etcd, when they " +
    "are stored. Gauges and cumulative sums are read under the names of dcgm-exporter and the other exporters, and those of OpenTelemetry's " +
    "conventions for hardware (hw.gpu.*). Data points that are no GPU's are counted and dropped.",
  body: {
    required: true,
    content: {
      "application/json": { schema: json, example: { resourceMetrics: [] } },
      "application/x-protobuf": { schema: message },
    },
  },
  plain: otlpAnswerSchema,
  errors: [400, 413, 415, 500, 503],
});
