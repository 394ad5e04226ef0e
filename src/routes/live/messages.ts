import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { metricNames } from "../../domain/metrics.ts";
import { selectorMaxLength } from "../../domain/series-selector.ts";
import { nameMaxLength, wholeNumber } from "../schemas/envelope.ts";
import type { ScopeRule } from "../http/access/access-rule.ts";
import { faultNewsSchema } from "../schemas/fault.ts";
import { selectorFields } from "../schemas/gpu-selector.ts";
import { migFields } from "../schemas/mig-fields.ts";
import { occupantsField } from "../schemas/occupants.ts";
import { metricFields, telemetryRecordSchema } from "../schemas/telemetry-record.ts";
import { faultFiltersSchema } from "./fault-filters.ts";

// The messages of /ws in both directions. Each is one JSON object. A record's metrics have the same names as in the REST API.

/** The most GPUs in gpu_uuids. */
const maxGpus = 1000;

const { gpu_uuid, parent_uuid, cluster_id, hostname, namespace } = selectorFields;
const recordFields = telemetryRecordSchema.properties;

const metricName = Type.Union(
  [
    ...metricNames.map((each) => Type.Literal(each)),
    // readMetricChoice reads other spellings of the names, and selectors of series
    Type.String({ maxLength: selectorMaxLength }),
  ],
  {
    description:
      'A metric\'s name or one of its spellings in /api/v1/metrics, or a series such as xid_errors{xid="31"}; the update has the ' +
      "metric under its own name",
  },
);
const subscriptionId = Type.String({
  minLength: 1,
  maxLength: 64,
  description:
    "Identifies a subscription within its connection; chosen by the server if the client does not choose one",
});
const pingId = Type.String({ minLength: 1, maxLength: 64, description: "Chosen by the client; the pong repeats it" });
const followId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: "Chosen by the client; each change has it",
});
const topic = Type.Literal("telemetry", {
  description: "The kind of data that the subscription sends: newest records of GPUs",
});

const filtersSchema = Type.Object(
  {
    gpu_uuid,
    gpu_uuids: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: nameMaxLength, description: "UUID of a GPU" }), {
        minItems: 1,
        maxItems: maxGpus,
        description: "Only these GPUs and MIG instances",
      }),
    ),
    parent_uuid,
    hostname,
    cluster: cluster_id,
    cluster_id: { ...cluster_id, description: "The same as cluster" },
    namespace,
    metrics: Type.Optional(
      Type.Array(metricName, {
        minItems: 1,
        maxItems: metricNames.length,
        description: "Only these metrics; default all",
      }),
    ),
  },
  {
    additionalProperties: false,
    description: "The GPUs and the metrics that are sent; an absent field does not restrict them",
  },
);

/** Messages of clients, by type. */
export const clientMessages = {
  subscribe: Type.Object(
    {
      type: Type.Literal("subscribe"),
      id: Type.Optional(subscriptionId),
      topic: Type.Optional(topic),
      filters: Type.Optional(filtersSchema),
      snapshot: Type.Optional(
        Type.Boolean({
          description: "Whether the newest record of each GPU is sent first; default true, or false with since",
        }),
      ),
      since: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 64,
          description:
            "RFC 3339 with zone, or a time from now such as -1h: stored records at or after this instant are sent before live records, oldest first. If the " +
            "filters name GPUs, the records are sent GPU by GPU",
        }),
      ),
    },
    { additionalProperties: false, description: "Requests the newest records of GPUs as they arrive" },
  ),
  unsubscribe: Type.Object(
    {
      type: Type.Literal("unsubscribe"),
      id: Type.Optional(subscriptionId),
      topic: Type.Optional(topic),
    },
    {
      additionalProperties: false,
      description: "Ends a subscription; without id, all subscriptions of the connection",
    },
  ),
  subscribe_faults: Type.Object(
    {
      type: Type.Literal("subscribe_faults"),
      id: Type.Optional(followId),
      filters: Type.Optional(faultFiltersSchema),
      since: Type.Optional(
        Type.Number({
          multipleOf: 1,
          minimum: 0,
          maximum: Number.MAX_SAFE_INTEGER,
          description:
            "The last sequence that the client knows: the changes after it are sent. Default: only later ones",
        }),
      ),
    },
    { additionalProperties: false, description: "Requests the changes of faults as they are told" },
  ),
  unsubscribe_faults: Type.Object(
    { type: Type.Literal("unsubscribe_faults"), id: Type.Optional(followId) },
    { additionalProperties: false, description: "Ends the changes of faults" },
  ),
  ping: Type.Object(
    { type: Type.Literal("ping"), id: Type.Optional(pingId) },
    { additionalProperties: false, description: "Requests a pong" },
  ),
} as const satisfies Record<string, TSchema>;

/** What each of a client's messages asks of its caller; `any`: nothing but to be known. */
export const messageRules: Readonly<Record<keyof typeof clientMessages, ScopeRule | { readonly scope: "any" }>> = {
  subscribe: { scope: "read", selectors: "narrowed" },
  unsubscribe: { scope: "any" },
  subscribe_faults: { scope: "read", selectors: "narrowed" },
  unsubscribe_faults: { scope: "any" },
  ping: { scope: "any" },
};

const optionalFlag = (description: string) => Type.Optional(Type.Literal(true, { description }));

/** Messages of the server, by type. */
export const serverMessages = {
  telemetry_update: Type.Object(
    {
      type: Type.Literal("telemetry_update"),
      timestamp: recordFields.timestamp,
      gpu_uuid: recordFields.uuid,
      ...migFields,
      ...occupantsField,
      data: Type.Object(metricFields, {
        additionalProperties: false,
        description: "The requested metrics that the record has",
      }),
      id: Type.Optional(subscriptionId),
      snapshot: optionalFlag("The record arrived before the subscription started"),
      replay: optionalFlag("The record comes from the history"),
    },
    { additionalProperties: false, description: "A record, with the subscription's id if the client chose it" },
  ),
  subscribed: Type.Object(
    {
      type: Type.Literal("subscribed"),
      id: subscriptionId,
      topic,
      filters: filtersSchema,
      gpus: wholeNumber({
        minimum: 0,
        description: "Number of selected GPUs and MIG instances that have a record now",
      }),
    },
    { additionalProperties: false, description: "A subscription has started" },
  ),
  unsubscribed: Type.Object(
    { type: Type.Literal("unsubscribed"), id: subscriptionId },
    { additionalProperties: false, description: "A subscription has ended; no more of its messages follow" },
  ),
  replayed: Type.Object(
    {
      type: Type.Literal("replayed"),
      id: subscriptionId,
      count: wholeNumber({
        minimum: 0,
        description:
          "Number of records that were read from the history; those without a requested metric were not sent",
      }),
      truncated: optionalFlag(
        "The history may be incomplete: it reached the limit of replayed records, or could not be read",
      ),
    },
    {
      additionalProperties: false,
      description: "The replay of the history has ended; the records that follow are live",
    },
  ),
  skipped: Type.Object(
    {
      type: Type.Literal("skipped"),
      id: subscriptionId,
      count: wholeNumber({
        minimum: 1,
        description:
          "Number of records that were not sent: a newer record of the GPU superseded them, or too many arrived during a replay",
      }),
    },
    {
      additionalProperties: false,
      description: "Records were not sent, because the client reads too slowly or a replay takes too long",
    },
  ),
  faults_subscribed: Type.Object(
    {
      type: Type.Literal("faults_subscribed"),
      id: Type.Optional(followId),
      sequence: wholeNumber({ minimum: 0, description: "The last change until now; since continues after it" }),
    },
    { additionalProperties: false, description: "The changes of faults that follow are sent" },
  ),
  faults_unsubscribed: Type.Object(
    { type: Type.Literal("faults_unsubscribed"), id: Type.Optional(followId) },
    { additionalProperties: false, description: "No more changes of faults follow" },
  ),
  fault_change: Type.Object(
    { type: Type.Literal("fault_change"), id: Type.Optional(followId), ...faultNewsSchema.properties },
    { additionalProperties: false, description: "A change of a fault's state, with the fault as it is now" },
  ),
  pong: Type.Object(
    { type: Type.Literal("pong"), id: Type.Optional(pingId) },
    { additionalProperties: false, description: "Answers a ping" },
  ),
  error: Type.Object(
    {
      type: Type.Literal("error"),
      code: Type.String({ description: "Stable identifier, for programs" }),
      message: Type.String({ description: "The error, and the values that are expected" }),
      details: Type.Record(Type.String(), Type.Unknown(), { description: "The values behind the message" }),
      id: Type.Optional(
        Type.String({ description: "The id of the message that caused the error, or of its subscription" }),
      ),
    },
    {
      additionalProperties: false,
      description:
        "A message was refused, or the history that it requested could not be sent; the connection stays open",
    },
  ),
} as const satisfies Record<string, TSchema>;

/** A client's message that fits its schema. */
export type ClientMessage = {
  [Type in keyof typeof clientMessages]: Static<(typeof clientMessages)[Type]>;
}[keyof typeof clientMessages];

/** The GPUs and the metrics that a subscription requests, as the message names them. */
export type SubscriptionFilters = Static<typeof filtersSchema>;

/** A message of the server other than a telemetry_update, which MetricSelection serialises. */
export type ControlMessage = {
  [Type in keyof typeof serverMessages]: Static<(typeof serverMessages)[Type]>;
}[Exclude<keyof typeof serverMessages, "telemetry_update">];
