import { type FieldMap, type SchemaKit } from "../../graphql-kit/field.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { faultRuleSchema, toApiRule, toApiXids, xidSchema } from "./fault-rule.ts";

/** The queries for the rules in force, and for the catalogue of XIDs. */
export function faultRuleFields({ types, field }: SchemaKit): FieldMap {
  return {
    faultRules: field({
      scope: "read",
      selectors: "same",
      type: types.listOf(faultRuleSchema),
      description: "The rules that raise faults",
      takes: noQuery,
      size: () => 100,
      resolve: async (_, __, { allParts }) => (await allParts.faultGuide()).rules.map(toApiRule),
    }),
    xids: field({
      scope: "read",
      selectors: "same",
      type: types.listOf(xidSchema),
      description: "The catalogue of XIDs",
      takes: noQuery,
      size: () => 200,
      resolve: async (_, __, { allParts }) => toApiXids(await allParts.faultGuide()),
    }),
  };
}
