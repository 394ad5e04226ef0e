import { type Static, Type } from "@sinclair/typebox";
import { type FaultGuide, type RuleGuide, xidClasses } from "../../../faults/fault-guide.ts";
import { defined } from "../../../kit/defined.ts";
import { wholeNumber } from "../../schemas/envelope.ts";
import { severityField } from "../../schemas/fault.ts";

/** A rule of faults as the API shows it. */
export const faultRuleSchema = Type.Object(
  {
    id: Type.String({ description: "Name of the rule; also that of its faults, except for XIDs" }),
    kind: Type.String({ description: "What kind of condition it has, such as threshold or absence" }),
    severity: severityField,
    enabled: Type.Boolean({ description: "false: the rule raises nothing" }),
    summary: Type.String({ description: "The fault in a few words" }),
    fires: Type.String({ description: "When it fires" }),
    ends: Type.String({ description: "When its fault ends" }),
    meaning: Type.String({ description: "What the fault means" }),
    action: Type.String({ description: "What to do" }),
    runbook: Type.String({ description: "Page and heading of its explanation" }),
    runbook_url: Type.Optional(
      Type.String({ description: "The same as a link to FAULT_RUNBOOK_URL; absent without that setting" }),
    ),
    source: Type.String({ description: "Where its figures come from; * marks our own figures" }),
    figures: Type.Record(Type.String(), Type.Number(), {
      description: "Its thresholds, durations in seconds, and counts, by name",
    }),
  },
  {
    $id: "FaultRule",
    additionalProperties: false,
    description: "A rule that raises faults",
    examples: [
      {
        id: "gpu.temperature.high",
        kind: "threshold",
        severity: "warning",
        enabled: true,
        summary: "The GPU is hot",
        fires: "temperature above 85 for 5 min",
        ends: "at most 82 for 60 s",
        meaning: "The GPU has been hotter than it should be for minutes.",
        action: "Check the fans and the air flow of the node.",
        runbook: "docs/faults.md#gputemperaturehigh",
        source: "netdata; 300 s*",
        figures: { above: 85, resolve: 82, for_seconds: 300, resolve_for_seconds: 60 },
      },
    ],
  },
);

/** A code of the catalogue of XIDs as the API shows it. */
export const xidSchema = Type.Object(
  {
    code: wholeNumber({ minimum: 1, description: "The XID" }),
    name: Type.String({ description: "What NVIDIA calls it" }),
    class: Type.Union(
      xidClasses.map((each) => Type.Literal(each)),
      { description: "What kind of response it needs; the rule nvidia.xid.CLASS raises it, except for noise" },
    ),
    action: Type.String({ description: "What to do" }),
    source: Type.String({ description: "The list that the class and the action come from" }),
    date: Type.String({ description: "The date of that list" }),
  },
  {
    $id: "Xid",
    additionalProperties: false,
    description: "An error code of NVIDIA's driver",
    examples: [
      {
        code: 79,
        name: "GPU has fallen off the bus",
        class: "reboot",
        action: "Drain the node and reboot it.",
        source: "gpud",
        date: "2025-10-29",
      },
    ],
  },
);

/** A rule in the API's shape. */
export function toApiRule({ isEnabled, figures, runbookUrl, ...rule }: RuleGuide): Static<typeof faultRuleSchema> {
  return { ...rule, ...defined({ runbook_url: runbookUrl }), enabled: isEnabled, figures: { ...figures } };
}

/** The codes in the API's shape. */
export function toApiXids({ xids }: FaultGuide): Static<typeof xidSchema>[] {
  return xids.map((xid) => ({ ...xid }));
}
