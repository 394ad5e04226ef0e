import { type Static, Type } from "@sinclair/typebox";
import { isSilenceInForce, type Silence, type SilenceField } from "../../faults/silence.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { instant, wholeNumber } from "./envelope.ts";

/** The API's names of what a silence compares, each with the field. */
export const silenceFieldNames = {
  name: "name",
  rule: "rule",
  severity: "severity",
  cluster_id: "cluster",
  hostname: "host",
  gpu_uuid: "uuid",
  namespace: "namespace",
  job: "job",
} as const satisfies Readonly<Record<string, SilenceField>>;

/** A silence as the API shows it. */
export const silenceSchema = Type.Object(
  {
    id: wholeNumber({ minimum: 1, description: "Number of the silence" }),
    state: Type.Union(
      (["planned", "active", "ended"] as const).map((state) => Type.Literal(state)),
      { description: "Whether it is yet to begin, in force, or over" },
    ),
    matchers: Type.Record(Type.String(), Type.String(), {
      description: "What a fault must have, by name; * stands for any text, and ! before a text for all others",
    }),
    author: Type.String({ description: "The name of the key or of the person who created it" }),
    reason: Type.String({ description: "Why" }),
    starts_at: instant("When it begins"),
    ends_at: instant("When it ends, or has ended"),
    created_at: instant("When it was created"),
    ended_by: Type.Optional(Type.String({ description: "Who ended it early; absent if no operator did" })),
  },
  {
    $id: "FaultSilence",
    additionalProperties: false,
    description: "A period in which no notifications are sent for matching faults",
    examples: [
      {
        id: 7,
        state: "active",
        matchers: { hostname: "gpu-01", name: "gpu.temperature.*" },
        author: "operator",
        reason: "new fans, ticket 4711",
        starts_at: "2025-07-18T20:00:00Z",
        ends_at: "2025-07-18T22:00:00Z",
        created_at: "2025-07-18T20:00:00Z",
      },
    ],
  },
);

export type ApiSilence = Static<typeof silenceSchema>;

/** A silence in the API's shape. */
export function toApiSilence(silence: Silence, nowMs: number): ApiSilence {
  const { id, matchers, author, reason, startsAtMs, createdAtMs, endedAtMs, endedBy } = silence;
  const endsAtMs = Math.min(silence.endsAtMs, endedAtMs ?? Infinity);
  return {
    id,
    state: isSilenceInForce(silence, nowMs) ? "active" : endsAtMs <= nowMs ? "ended" : "planned",
    matchers: Object.fromEntries(
      matchers.map(({ field, pattern, isEqual }) => [nameOfField(field), `${isEqual ? "" : "!"}${pattern}`]),
    ),
    ...{ author, reason, starts_at: formatTimestamp(startsAtMs), ends_at: formatTimestamp(endsAtMs) },
    created_at: formatTimestamp(createdAtMs),
    ...(endedBy === null ? {} : { ended_by: endedBy }),
  };
}

function nameOfField(field: SilenceField): string {
  return Object.entries(silenceFieldNames).find(([, each]) => each === field)?.[0] ?? field;
}
