import { defined } from "../../../kit/defined.ts";
import { type Static, Type } from "@sinclair/typebox";
import { rejectReasons } from "../../../domain/batch.ts";
import type { QueueStats } from "../../../pipeline/queue/queue.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";
import type { PipelineState, UnsettledHistory } from "../../answers/pipeline-answers.ts";

const queueSchema = Type.Object(
  {
    depth: wholeNumber({ minimum: 0, description: "Messages in the queue: ready and in flight" }),
    ready: wholeNumber({ minimum: 0, description: "Messages that wait for a collector" }),
    in_flight: wholeNumber({ minimum: 0, description: "Messages that a collector has claimed" }),
    dead: wholeNumber({ minimum: 0, description: "Dead letters" }),
    capacity: wholeNumber({ minimum: 1, description: "Depth at which streamers wait" }),
    lag_seconds: Type.Number({
      minimum: 0,
      description: "Age of the oldest message in the queue; 0 if the queue is empty",
    }),
  },
  { additionalProperties: false, description: "The queue between streamers and collectors" },
);

const settlingSchema = Type.Object(
  {
    enabled: Type.Boolean({
      description:
        "False if this gateway has SETTLE_HISTORY=false. Each collector goes by its own setting: /health and telemetry_settle_enabled show it",
    }),
    oldest_hour: Type.Optional(
      instant("The oldest hour of which any records are rows, whether it is due or not; absent if none are"),
    ),
    due_hours: wholeNumber({ minimum: 0, description: "Hours whose records are to become blocks, at most 1000" }),
    lag_seconds: Type.Number({
      minimum: 0,
      description: "How long the one of these hours that has waited longest has been due; 0 if none is",
    }),
  },
  {
    additionalProperties: false,
    description:
      "The history that is not settled, by the database, whichever processes settle it: past hours of records become blocks",
  },
);

const serviceSchema = Type.Object(
  {
    name: Type.String({ description: "Name of the service" }),
    status: Type.Union([Type.Literal("ok"), Type.Literal("degraded")], {
      description: "degraded if the service has an error; reason describes it",
    }),
    reason: Type.Optional(Type.String({ description: "The error of the service; absent if the status is ok" })),
    activity: Type.Optional(Type.String({ description: "What the service is doing" })),
  },
  { additionalProperties: false },
);

/** The state of the pipeline, as the API shows it. */
export const pipelineSchema = Type.Object(
  {
    queue: queueSchema,
    rejected: Type.Record(Type.String(), wholeNumber({ minimum: 1 }), {
      description: `Number of rejected inputs by reason: ${rejectReasons.join(", ")}`,
    }),
    conflicts: Type.Optional(
      wholeNumber({
        minimum: 1,
        description:
          "Number of values that differ from another value of the same series and record, of which the greater is stored; " +
          "absent if there are none",
      }),
    ),
    settling: settlingSchema,
    services: Type.Array(serviceSchema, { description: "Services of this process" }),
  },
  {
    $id: "Pipeline",
    additionalProperties: false,
    description: "State of the pipeline",
    examples: [
      {
        queue: { depth: 3, ready: 1, in_flight: 2, dead: 0, capacity: 500, lag_seconds: 0.8 },
        rejected: { value_out_of_range: 2 },
        settling: { enabled: true, oldest_hour: "2025-07-18T20:00:00Z", due_hours: 0, lag_seconds: 0 },
        services: [{ name: "fleet", status: "ok", activity: "247 GPUs in memory" }],
      },
    ],
  },
);

/** The state of the pipeline in the API's shape. */
export function toApiPipeline({
  queue,
  rejected,
  conflicts,
  unsettled,
  services,
}: PipelineState): Static<typeof pipelineSchema> {
  return {
    queue: toApiQueue(queue),
    rejected: { ...rejected },
    ...(conflicts === 0 ? {} : { conflicts }),
    settling: toApiSettling(unsettled),
    services: services.map((service) => {
      const [reason, activity] = [service.error(), service.activity()];
      return {
        name: service.name,
        status: reason === undefined ? "ok" : "degraded",
        ...defined({ reason, activity }),
      };
    }),
  };
}

function toApiQueue({
  readyMessages: ready,
  inFlightMessages: inFlight,
  deadMessages: dead,
  capacityMessages: capacity,
  oldestAgeMs,
}: QueueStats): Static<typeof queueSchema> {
  const lagSeconds = Math.max(0, oldestAgeMs / 1000);
  return { depth: ready + inFlight, ready, in_flight: inFlight, dead, capacity, lag_seconds: lagSeconds };
}

function toApiSettling({ isOn, oldestHour, dueHours, lagSeconds }: UnsettledHistory): Static<typeof settlingSchema> {
  return {
    enabled: isOn,
    ...(oldestHour === undefined ? {} : { oldest_hour: formatTimestamp(oldestHour) }),
    due_hours: dueHours,
    lag_seconds: lagSeconds,
  };
}
