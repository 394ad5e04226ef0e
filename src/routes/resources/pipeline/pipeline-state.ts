import { defined } from "../../../kit/defined.ts";
import { type Static, Type } from "@sinclair/typebox";
import { rejectReasons } from "../../../domain/batch.ts";
import type { QueueStats } from "../../../pipeline/queue/queue.ts";
import type { Service } from "../../../kit/service.ts";
import { wholeNumber } from "../../schemas/envelope.ts";

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
        services: [{ name: "fleet", status: "ok", activity: "247 GPUs in memory" }],
      },
    ],
  },
);

/** The state of the pipeline in the API's shape. */
export function toApiPipeline(
  {
    readyMessages: ready,
    inFlightMessages: inFlight,
    deadMessages: dead,
    capacityMessages: capacity,
    oldestAgeMs,
  }: QueueStats,
  inputs: { readonly rejected: Readonly<Record<string, number>>; readonly conflicts: number },
  services: readonly Service[],
): Static<typeof pipelineSchema> {
  return {
    queue: {
      depth: ready + inFlight,
      ready,
      in_flight: inFlight,
      dead,
      capacity,
      lag_seconds: Math.max(0, oldestAgeMs / 1000),
    },
    rejected: { ...inputs.rejected },
    ...(inputs.conflicts === 0 ? {} : { conflicts: inputs.conflicts }),
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
