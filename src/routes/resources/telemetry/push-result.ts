import { type Static, Type } from "@sinclair/typebox";
import { rejectReasons } from "../../../domain/batch.ts";
import { quoted } from "../../../domain/cut-text.ts";
import type { FutureRecords } from "../../../domain/future-records.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { misspellingsFirst, ownMetricsMax } from "../../../pipeline/source/own-metrics.ts";
import type { PushFormat, PushResult } from "../../../pipeline/source/push.ts";
import { defined } from "../../../kit/defined.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

const counted = (description: string) => wholeNumber({ minimum: 0, description });

const rejectedSchema = Type.Object(
  {
    line: counted("Line of the body, from 1; 0 in JSON"),
    index: counted("Number of the record in the body, from 0; in CSV, offset of the row's first byte"),
    reason: Type.Union(
      rejectReasons.map((reason) => Type.Literal(reason)),
      { description: "Why it was rejected" },
    ),
    field: Type.String({ description: "The member or column with the error; empty if the whole record is wrong" }),
    value: Type.String({ description: "The rejected value, cut to 200 characters" }),
    message: Type.String({ description: "One sentence that explains the error" }),
  },
  { additionalProperties: false },
);

const customMetricSchema = Type.Object(
  {
    name: Type.String({ description: "The metric's name in the body" }),
    did_you_mean: Type.Optional(
      Type.String({
        description: "The spelling of a metric of the catalogue of which the name is likely a misspelling",
      }),
    ),
  },
  { additionalProperties: false },
);
const futureSchema = Type.Object(
  {
    count: wholeNumber({ minimum: 1, description: "Records whose times are more than 5 minutes in the future" }),
    timestamp: instant("Time of the first of them"),
    uuid: Type.String({ description: "Its GPU" }),
    message: Type.String({ description: "What follows from it, and what to do" }),
  },
  {
    additionalProperties: false,
    description: "Absent if no record is of the future. These records are stored, too, at the times that they have",
  },
);

/** Warns the sender of records of the future. */
export function futureText({ count, uuid, hostname, timeMs }: FutureRecords): string {
  return (
    `${count === 1 ? "1 record has a time" : `${count} records have times`} in the future, the first ${formatTimestamp(timeMs)} of ${quoted(uuid)} on ${quoted(hostname)}. ` +
    "They are stored there, and are the newest records of their GPUs until one of the present comes. If that is not meant, correct the sender's clock or time zone: a time without a zone is UTC."
  );
}

/** An answer names so many custom metrics. */
const customMetricsMax = 100;

const examplePushId = "0f343b0931126a20f133d67c2b018a3b1f3a6f2e";

/** The path that lists what was rejected of a push. */
export function quarantinePathOf(sourceId: string, pushId: string | undefined): string {
  const filter = pushId === undefined ? `source_id=${encodeURIComponent(sourceId)}` : `push_id=${pushId}`;
  return `/api/v1/quarantine?${filter}`;
}

/** What has become of a push, as the API shows it. */
export const pushResultSchema = Type.Object(
  {
    source_id: Type.String({ description: "Name under which the quarantine lists what was rejected" }),
    quarantine: Type.String({
      description:
        "Path with the inputs of this push that were rejected, later ones included: records that contradict stored ones (uuid_on_two_hosts) are found " +
        "when the push is stored, which may be after this answer",
    }),
    push_id: Type.Optional(
      Type.String({
        description: "Name of this push in the quarantine; the same push again has the same. Absent if it has nothing",
      }),
    ),
    rows: counted("Records or rows in the body, the rejected ones included"),
    records: counted("Records that will be stored: one for each GPU and instant"),
    samples: counted("Values in them"),
    missing: counted("Cells without a value, such as null and N/A"),
    duplicates: counted("Values that the body has more than once"),
    conflicts: counted(
      "Values that differ from another one of the body of the same GPU, instant and metric; the greatest is kept, also of a stored value and one of the body",
    ),
    rejected_count: counted("Records and values that were rejected, and are in the quarantine"),
    rejected: Type.Array(rejectedSchema, { description: "The first 1,000 of them" }),
    unread: Type.Array(Type.String(), { description: "Members or columns that were not read" }),
    custom_metrics_count: counted(`Metrics that are not in the catalogue, counted up to ${ownMetricsMax}`),
    custom_metrics: Type.Array(customMetricSchema, {
      description:
        "Metrics that are not in the catalogue, and are stored under their own names; at most 100, likely misspellings first",
    }),
    future: Type.Optional(futureSchema),
    message: Type.Optional(Type.String({ description: "What the sender should know: that a table has no rows" })),
    messages: counted("Messages that carry the push"),
    duplicate_messages: counted(
      "Those of them that the queue already had: the push was sent before, partly or completely",
    ),
  },
  {
    $id: "PushResult",
    additionalProperties: false,
    description: "Result of a push",
    examples: [
      {
        ...{ source_id: "push:ci", quarantine: `/api/v1/quarantine?push_id=${examplePushId}`, push_id: examplePushId },
        ...{ rows: 3, records: 2, samples: 11, missing: 1, duplicates: 0, conflicts: 0 },
        rejected_count: 1,
        rejected: [
          {
            ...{ line: 3, index: 2, reason: "missing_field", field: "uuid", value: "" },
            message: 'The field "uuid" is empty.',
          },
        ],
        ...{
          unread: [],
          custom_metrics_count: 1,
          custom_metrics: [{ name: "gpu_utilisation", did_you_mean: "gpu_utilization" }],
        },
        ...{ messages: 1, duplicate_messages: 0 },
      },
    ],
  },
);

/** A push's result in the API's shape. */
export function toApiPush(
  sourceId: string,
  format: PushFormat,
  result: Omit<PushResult, "problem">,
): Static<typeof pushResultSchema> {
  const { pushId, tally, records, messages, duplicateMessages } = result;
  const { rejectedCount, rejected, unread, ownMetrics, future } = result;
  const { rows, samples, missing, duplicates, conflicts } = tally;
  return {
    source_id: sourceId,
    quarantine: quarantinePathOf(sourceId, pushId),
    ...defined({ push_id: pushId }),
    ...{ rows, records, samples, missing, duplicates, conflicts, rejected_count: rejectedCount },
    rejected: rejected.map(({ line, byte, reason, field, value, message }) => {
      return { line, index: byte, reason, field, value, message };
    }),
    unread: [...unread],
    custom_metrics_count: ownMetrics.length,
    custom_metrics: misspellingsFirst(ownMetrics)
      .slice(0, customMetricsMax)
      .map(({ name, meant }) => ({ name, ...defined({ did_you_mean: meant }) })),
    ...defined({ future: future && toApiFuture(future) }),
    ...(format === "csv" && rows === 0 && { message: "The table has no rows." }),
    ...{ messages, duplicate_messages: duplicateMessages },
  };
}

function toApiFuture(future: FutureRecords): Static<typeof futureSchema> {
  const { count, timeMs, uuid } = future;
  return { count, timestamp: formatTimestamp(timeMs), uuid, message: futureText(future) };
}
