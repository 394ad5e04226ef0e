import { type Static, type TString, Type } from "@sinclair/typebox";
import { scaledRoles } from "./policy.ts";
import { reasonCodes } from "./reason.ts";

// The coordinator's decisions and state, as etcd has them and the API shows them.

const wholeNumber = (description: string) => Type.Number({ multipleOf: 1, minimum: 0, description });
const count = (description: string) => Type.Number({ multipleOf: 1, minimum: 0, maximum: 100_000, description });
const instant = (description: string) =>
  Type.String({ format: "date-time", description, examples: ["2025-07-18T20:42:34Z"] });

/** A decision about the count of a role. */
export const scalingDecisionSchema = Type.Object(
  {
    id: Type.String({ description: "ULID of the decision" }),
    at: instant("When it was decided"),
    role: Type.Union(
      scaledRoles.map((role) => Type.Literal(role)),
      { description: "Role of the processes" },
    ),
    direction: Type.Union([Type.Literal("up"), Type.Literal("down"), Type.Literal("hold")], {
      description: "hold: the count is kept",
    }),
    from: count("Count before the decision"),
    to: count("Decided count"),
    code: Type.Union(
      reasonCodes.map((code) => Type.Literal(code)),
      { description: "Reason, for programs" },
    ),
    reason: Type.String({ description: "Reason with its figures, for people" }),
    term: wholeNumber("Term in which it was decided"),
    instance_id: Type.String({ description: "Process that decided" }),
  },
  {
    $id: "ScalingDecision",
    additionalProperties: false,
    description: "A decision about the number of processes of a role",
    examples: [
      {
        id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2",
        at: "2025-07-18T20:42:34Z",
        role: "collector",
        direction: "up",
        from: 2,
        to: 5,
        code: "load",
        reason: "44.1 messages/s arrive, 31 wait; a collector stores 9.8/s",
        term: 4711,
        instance_id: "mtv5-a:4711:3f9c",
      },
    ],
  },
);

/** A decision as etcd has it. TypeBox checks no formats, so the instant has none. */
export const storedDecisionSchema = Type.Object({ ...scalingDecisionSchema.properties, at: Type.String() });

const rules = Type.Record(Type.String(), Type.Number());
const signalsWith = (at: TString) => {
  const signal = Type.Object(
    { value: Type.Number({ description: "The figure" }), at },
    { additionalProperties: false },
  );
  const group = Type.Record(Type.String(), signal);
  return Type.Object(
    { queue: group, collectors: group, streamers: group, gateways: group },
    { additionalProperties: false, description: "Figures that are known, with their instants" },
  );
};

/** What the coordinator decided last, and from which figures. */
export const scalingStateSchema = Type.Object(
  {
    as_of: instant("When the coordinator decided last"),
    executor: Type.String({ description: "What carries out the decisions: none, local or kubernetes" }),
    policy: Type.Object(
      { steps: rules, streamer: rules, collector: rules, gateway: rules },
      { additionalProperties: false, description: "Rules of the decisions; the names say the units" },
    ),
    signals: signalsWith(instant("When it was measured")),
    desired: Type.Record(Type.String(), wholeNumber("Decided count"), {
      description: "Decided number of processes of each role; absent if it was never decided",
    }),
    actual: Type.Record(Type.String(), wholeNumber("Live processes"), {
      description: "Live processes of each role, without those that are starting or stopping; absent if not known",
    }),
    newest: Type.Array(scalingDecisionSchema, { description: "The newest decision about each role" }),
  },
  { additionalProperties: false },
);

/** The state as etcd has it. */
export const storedStateSchema = Type.Object({
  ...scalingStateSchema.properties,
  as_of: Type.String(),
  signals: signalsWith(Type.String()),
  newest: Type.Array(storedDecisionSchema),
});

/** A decision. */
export type ScalingDecision = Static<typeof scalingDecisionSchema>;
/** The state. */
export type ScalingState = Static<typeof scalingStateSchema>;
