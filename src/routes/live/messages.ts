import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { metrics } from "../../domain/metrics.ts";
import { wholeNumber } from "../schemas/envelope.ts";
import { metricFields, telemetryRecordSchema } from "../schemas/telemetry-record.ts";

// What goes over /ws, in both directions: one JSON object a message. The fields of records are those of the API.

const nameMaxLength = 256;
/** GPUs that one subscription may name. */
const gpusMax = 1000;

const recordFields = telemetryRecordSchema.properties;
const metricNames = metrics.map(({ name }) => name);

const name = (description: string) => Type.String({ minLength: 1, maxLength: nameMaxLength, description });
const metricName = Type.Union(
  metricNames.map((each) => Type.Literal(each)),
  { description: "A metric's name in /api/v1/metrics" },
);
const subscriptionId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: "Names a subscription on its connection; the client's choice, else the server's",
});
const topic = Type.Literal("telemetry", { description: "What is told: newest records of GPUs" });

const filtersSchema = Type.Object(
  {
    gpu_uuid: Type.Optional(name("Only this GPU")),
    gpu_uuids: Type.Optional(
      Type.Array(name("A GPU"), { minItems: 1, maxItems: gpusMax, description: "Only these GPUs" }),
    ),
    hostname: Type.Optional(name("Only GPUs of this host")),
    cluster: Type.Optional(name("Only GPUs of this cluster")),
    cluster_id: Type.Optional(name("The same as cluster")),
    namespace: Type.Optional(name("Only GPUs held by a pod of this Kubernetes namespace")),
    metrics: Type.Optional(
      Type.Array(metricName, {
        minItems: 1,
        maxItems: metricNames.length,
        description: "Only these metrics; absent: all",
      }),
    ),
  },
  { additionalProperties: false, description: "What is wanted; absent fields do not restrict" },
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
        Type.Boolean({ description: "Whether the last known values come first; default true, false with since" }),
      ),
      since: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 64,
          description: "RFC 3339 with zone: stored records at or after it come first, oldest first",
        }),
      ),
    },
    { additionalProperties: false, description: "Asks for the newest records of GPUs as they come" },
  ),
  unsubscribe: Type.Object(
    {
      type: Type.Literal("unsubscribe"),
      id: Type.Optional(subscriptionId),
      topic: Type.Optional(topic),
    },
    { additionalProperties: false, description: "Ends a subscription; without id all of the connection" },
  ),
  ping: Type.Object(
    { type: Type.Literal("ping"), id: Type.Optional(subscriptionId) },
    { additionalProperties: false, description: "Asks for a pong" },
  ),
} as const satisfies Record<string, TSchema>;

const isOptional = (description: string) => Type.Optional(Type.Literal(true, { description }));

/** Messages of the server, by type. */
export const serverMessages = {
  telemetry_update: Type.Object(
    {
      type: Type.Literal("telemetry_update"),
      timestamp: recordFields.timestamp,
      gpu_uuid: recordFields.uuid,
      data: Type.Object(metricFields, {
        additionalProperties: false,
        description: "The metrics that the record has, of those that were asked for",
      }),
      id: Type.Optional(subscriptionId),
      snapshot: isOptional("The value was there already when the subscription began"),
      replay: isOptional("The record came before the subscription began"),
    },
    { additionalProperties: false, description: "A record; id where the client gave one" },
  ),
  subscribed: Type.Object(
    {
      type: Type.Literal("subscribed"),
      id: subscriptionId,
      topic,
      filters: filtersSchema,
      gpus: wholeNumber({ minimum: 0, description: "GPUs with a record that fit now" }),
    },
    { additionalProperties: false, description: "A subscription has begun" },
  ),
  unsubscribed: Type.Object(
    { type: Type.Literal("unsubscribed"), id: subscriptionId },
    { additionalProperties: false, description: "A subscription has ended; nothing of it follows" },
  ),
  replayed: Type.Object(
    {
      type: Type.Literal("replayed"),
      id: subscriptionId,
      count: wholeNumber({ minimum: 0, description: "Records that came out of the history" }),
      truncated: isOptional("There were more than may be replayed: the older ones were left out"),
    },
    { additionalProperties: false, description: "The history since the asked instant is told; what follows is live" },
  ),
  skipped: Type.Object(
    {
      type: Type.Literal("skipped"),
      id: subscriptionId,
      count: wholeNumber({ minimum: 1, description: "Records that a newer one of the same GPU stood in for" }),
    },
    { additionalProperties: false, description: "The client reads more slowly than records come" },
  ),
  pong: Type.Object(
    { type: Type.Literal("pong"), id: Type.Optional(subscriptionId) },
    { additionalProperties: false, description: "Answers a ping" },
  ),
  error: Type.Object(
    {
      type: Type.Literal("error"),
      code: Type.String({ description: "Stable, for programs" }),
      message: Type.String({ description: "What is wrong and what would be right" }),
      details: Type.Record(Type.String(), Type.Unknown(), { description: "The values behind the message" }),
      id: Type.Optional(Type.String({ description: "What the message at fault had as its id" })),
    },
    { additionalProperties: false, description: "A message was not usable; the connection stays" },
  ),
} as const satisfies Record<string, TSchema>;

/** A message of a client, checked. */
export type ClientMessage = {
  [Type in keyof typeof clientMessages]: Static<(typeof clientMessages)[Type]>;
}[keyof typeof clientMessages];

/** What a client asks of records. */
export type Filters = Static<typeof filtersSchema>;

/** A message of the server that is no record: those are put together as text. */
export type ControlMessage = {
  [Type in keyof typeof serverMessages]: Static<(typeof serverMessages)[Type]>;
}[Exclude<keyof typeof serverMessages, "telemetry_update">];
