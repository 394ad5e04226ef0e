import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { PushResult } from "../../../pipeline/source/push.ts";
import { WriteCounts } from "../../../pipeline/source/remote-write.ts";
import type { ApiError } from "../../http/api-error.ts";
import { operation } from "../../http/operation.ts";
import { acceptsBody } from "../../http/parameters/accepts.ts";
import type { ResourceParts } from "../resource.ts";
import { senderOf } from "./sender.ts";
import { badBody, bodyErrorOf, written } from "./body-errors.ts";
import { quarantinePathOf } from "./push-result.ts";
import { writeProtocolOf, writeTypes } from "./write-request.ts";

type Headers = Record<string, string | number | readonly string[] | undefined>;

/** The route that takes remote write of a Prometheus, vmagent or Alloy. */
export function writeRoutes({
  write,
  writeMaxBytes: maxBytes,
  clusterId,
}: Pick<ResourceParts, "write" | "writeMaxBytes" | "clusterId">) {
  const limit = { kind: written, maxBytes };
  return new Elysia({ name: "remote-write", prefix: "/api/v1/write" }).post(
    "",
    async ({ request, set }) => {
      const protocol = writeProtocolOf(request);
      const bytes = request.body;
      if (bytes === null) throw badBody("The body is empty");
      const counts = new WriteCounts();
      const body = { protocol, bytes, clusterId, counts };
      const push = { body, ...senderOf(request, "remote-write"), idempotencyKey: undefined };
      const result = await write
        .take(push, request.signal)
        .catch((error: unknown) => Promise.reject(bodyErrorOf(error, limit)));
      sayWritten(set.headers, counts, result.rejectedCount);
      if (result.problem !== undefined) throw bodyErrorOf(result.problem, limit);
      if (result.rejectedCount > 0) throw partly(counts, result, push.sourceId);
      set.status = 204;
    },
    { ...acceptsBody({}), detail: writeDetail },
  );
}

/** Source: https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#required-written-response-headers. What a rule drops, and what was
 *  sent before, counts as written: the sender has no reason to tell that it was lost. */
function sayWritten(headers: Headers, counts: WriteCounts, rejected: number): void {
  headers["x-prometheus-remote-write-samples-written"] = String(Math.max(0, counts.samples - rejected));
  headers["x-prometheus-remote-write-histograms-written"] = String(counts.histograms);
  headers["x-prometheus-remote-write-exemplars-written"] = String(counts.exemplars);
}

function partly({ samples }: WriteCounts, result: PushResult, sourceId: string): ApiError {
  const { pushId, rejectedCount, rejected } = result;
  const quarantine = quarantinePathOf(sourceId, pushId);
  return badBody(
    `${rejectedCount} of ${samples} samples were rejected, and are in the quarantine (${quarantine}); the others are taken. The first: ${rejected[0]?.message ?? ""}`,
    { rejected: rejectedCount, samples, quarantine },
  );
}

const message = Type.String({ format: "binary", description: "The message, packed by snappy in the block format" });

const writeDetail = operation({
  id: "remoteWrite",
  tag: "telemetry",
  access: { scope: "write" },
  summary: "Take remote write of a Prometheus",
  description:
    "Takes requests of Prometheus' remote write 1.0 and 2.0, and answers when the records of GPUs in them are in the queue; without etcd, when they " +
    "are stored. Series that are no GPU's are counted and dropped. The headers X-Prometheus-Remote-Write-Samples-Written and so on count what was " +
    "taken, also if it was sent before. docs/remote-write.md says how a Prometheus, vmagent or Alloy is configured.",
  body: { required: true, content: Object.fromEntries(writeTypes.map((type) => [type, { schema: message }])) },
  empty: "The samples are in the queue",
  errors: [400, 413, 415, 500, 503],
});
