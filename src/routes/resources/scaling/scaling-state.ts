import { type Static, Type } from "@sinclair/typebox";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import type { RecordedScaling } from "../../../scaling/coordinator/scaling-records.ts";
import {
  type ScalingDecision,
  scalingDecisionSchema,
  scalingStateSchema,
} from "../../../scaling/coordinator/scaling-state.ts";
import { instant } from "../../schemas/envelope.ts";

const { as_of, executor, policy, signals, desired, actual } = scalingStateSchema.properties;

/** How many processes each role should have, and why, as the API shows it. */
export const scalingSchema = Type.Object(
  {
    leader: Type.Optional(
      Type.Object(
        {
          instance_id: Type.String({ description: "instance_id in the list of services" }),
          term: Type.Number({ multipleOf: 1, minimum: 1, description: "Its term; grows with each new leader" }),
          since: instant("When its term began"),
        },
        { additionalProperties: false, description: "The coordinator that leads; absent if none leads" },
      ),
    ),
    as_of: Type.Optional(as_of),
    executor: Type.Optional(executor),
    policy: Type.Optional(policy),
    signals: Type.Optional(signals),
    desired,
    actual,
    decisions: Type.Array(scalingDecisionSchema, {
      description: "The newest decision about each role, and those of a week that changed a count; newest first",
    }),
  },
  {
    $id: "Scaling",
    additionalProperties: false,
    description: "How many processes each role should have, and why. Before the first decision, most fields are absent",
    examples: [
      {
        leader: { instance_id: "mtv5-a:4711:3f9c", term: 4711, since: "2025-07-18T20:40:00Z" },
        as_of: "2025-07-18T20:42:34Z",
        executor: "none",
        policy: {
          steps: { up_cooldown_seconds: 10, down_cooldown_seconds: 60 },
          streamer: { min: 1, max: 10 },
          collector: { min: 1, max: 10, age_target_seconds: 5 },
          gateway: { min: 2, max: 5 },
        },
        signals: {
          queue: { waiting_messages: { value: 31, at: "2025-07-18T20:42:34Z" } },
          collectors: {},
          streamers: {},
          gateways: {},
        },
        desired: { streamer: 1, collector: 5, gateway: 2 },
        actual: { streamer: 1, collector: 2, gateway: 2 },
        decisions: scalingDecisionSchema.examples as unknown[],
      },
    ],
  },
);

/** The records in the API's shape. */
export function toApiScaling({ leader, state, changes }: RecordedScaling): Static<typeof scalingSchema> {
  const { as_of: asOf, executor: name, policy: rules, signals: figures } = state ?? {};
  return {
    ...defined({
      leader: leader && {
        instance_id: leader.instanceId,
        term: Number(leader.term),
        since: formatTimestamp(leader.sinceMs),
      },
      as_of: asOf,
      executor: name,
      policy: rules,
      signals: figures,
    }),
    desired: state?.desired ?? {},
    actual: state?.actual ?? {},
    decisions: newestFirst([...(state?.newest ?? []), ...changes]),
  };
}

/** The newest decision about a role may be one that changed its count: it is listed once. */
function newestFirst(decisions: readonly ScalingDecision[]): ScalingDecision[] {
  const byId = new Map(decisions.map((decision) => [decision.id, decision]));
  return [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
}
