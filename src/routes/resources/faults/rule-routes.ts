import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { FaultGuide } from "../../../faults/fault-guide.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { faultRuleSchema, toApiRule, toApiXids, xidSchema } from "./fault-rule.ts";

/** The routes of the rules in force, and of the catalogue of XIDs. */
export function faultRuleRoutes(guide: () => Promise<FaultGuide>) {
  return new Elysia({ name: "fault-rules", prefix: "/api/v1/faults" })
    .get(
      "/rules",
      async ({ request }) =>
        listInFormat(request, { elements: (await guide()).rules.map(toApiRule), schema: faultRuleSchema }),
      { ...accepts(noQuery), detail: rulesDetail },
    )
    .get(
      "/xids",
      async ({ request }) => listInFormat(request, { elements: toApiXids(await guide()), schema: xidSchema }),
      { ...accepts(noQuery), detail: xidsDetail },
    );
}

const rulesDetail = operation({
  id: "listFaultRules",
  tag: "faults",
  access: { scope: "read", selectors: "same" },
  summary: "The rules that raise faults",
  description: "The rules in force, with their thresholds, what they mean and what to do about their faults.",
  list: faultRuleSchema,
  errors: [400, 500],
});

const xidsDetail = operation({
  id: "listXids",
  tag: "faults",
  access: { scope: "read", selectors: "same" },
  summary: "The catalogue of XIDs",
  description: "The error codes of NVIDIA's driver that are known, with their class and what to do.",
  list: xidSchema,
  errors: [400, 500],
});
