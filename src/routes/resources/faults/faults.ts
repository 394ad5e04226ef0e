import { noFields, type Resource } from "../resource.ts";
import { faultRuleSchema, xidSchema } from "./fault-rule.ts";
import { faultRuleFields } from "./rule-fields.ts";
import { faultRuleRoutes } from "./rule-routes.ts";

/** What is wrong with devices, hosts, jobs and clusters, and the rules that say so. */
export const faults: Resource = {
  schemas: [faultRuleSchema, xidSchema],
  routes: ({ faultGuide }) => [faultRuleRoutes(faultGuide)],
  fields: (kit) => ({ ...noFields, query: faultRuleFields(kit) }),
};
