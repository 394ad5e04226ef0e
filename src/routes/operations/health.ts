import { type Static, Type } from "@sinclair/typebox";
import { wholeNumber } from "../schemas/envelope.ts";

const componentSchema = Type.Object(
  {
    status: Type.Union([Type.Literal("ok"), Type.Literal("degraded"), Type.Literal("down")]),
    reason: Type.Optional(Type.String({ description: "The error of the part; absent if the status is ok" })),
    activity: Type.Optional(
      Type.String({
        description:
          "Current activity of the part; for the store, its database; for the evaluation of faults, when it was last done",
      }),
    ),
  },
  { additionalProperties: false, description: "A part of the process" },
);

/** The response of /health. */
export const healthSchema = Type.Object(
  {
    status: Type.Union([Type.Literal("ok"), Type.Literal("degraded"), Type.Literal("down")], {
      description:
        "ok: every part is ok; degraded: a part is not ok, but the process works; down: the store (in a process without " +
        "a store, the queue) does not answer, and the process cannot serve from memory either",
    }),
    version: Type.String({ description: "Version of the program" }),
    role: Type.String({ description: "Roles that this process runs" }),
    cluster_id: Type.String({ description: "Cluster that the process's input belongs to" }),
    uptime_seconds: wholeNumber({ minimum: 0, description: "Seconds since the start" }),
    components: Type.Record(Type.String(), componentSchema, { description: "Each part by name" }),
  },
  {
    $id: "Health",
    additionalProperties: false,
    description: "The state of a process and its parts",
    examples: [
      {
        status: "ok",
        version: "0.1.0",
        role: "streamer,collector,gateway",
        cluster_id: "local-cluster",
        uptime_seconds: 4711,
        components: {
          store: {
            status: "ok",
            activity: "TimescaleDB 2.19.3 (apache licence) on PostgreSQL 17.6; hypertable",
          },
          queue: { status: "ok" },
          collector: { status: "ok" },
        },
      },
    ],
  },
);

export type Health = Static<typeof healthSchema>;
export type ComponentHealth = Static<typeof componentSchema>;

/** The answer to a probe. */
export const probeSchema = Type.Object(
  {
    status: Type.Union([Type.Literal("ok"), Type.Literal("unavailable")]),
    reasons: Type.Array(Type.String(), { description: "Why the process is unavailable; empty if the status is ok" }),
  },
  {
    $id: "Probe",
    additionalProperties: false,
    description: "Answer to a probe",
    examples: [{ status: "ok", reasons: [] }],
  },
);
