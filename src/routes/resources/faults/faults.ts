import { faultDetailSchema, faultSchema } from "../../schemas/fault.ts";
import { faultOrderSchema } from "../../schemas/fault-order.ts";
import { silenceSchema } from "../../schemas/fault-silence.ts";
import { noFields, type Resource } from "../resource.ts";
import { faultFields, faultMutations, faultSubscriptions } from "./fault-fields.ts";
import { faultRoutes } from "./fault-routes.ts";
import { faultRuleSchema, xidSchema } from "./fault-rule.ts";
import { faultOrderRoutes } from "./order-routes.ts";
import { faultRuleFields } from "./rule-fields.ts";
import { faultRuleRoutes } from "./rule-routes.ts";
import { silenceRoutes } from "./silence-routes.ts";

/** What is wrong with devices, hosts, jobs and clusters, and the rules that detect it. */
export const faults: Resource = {
  schemas: [faultSchema, faultDetailSchema, faultOrderSchema, silenceSchema, faultRuleSchema, xidSchema],
  routes: ({ viewOf, faultOrders, faultGuide }) => [
    faultRoutes(viewOf),
    faultOrderRoutes(faultOrders),
    silenceRoutes(faultOrders, viewOf),
    faultRuleRoutes(faultGuide),
  ],
  fields: (kit) => ({
    ...noFields,
    query: { ...faultFields(kit), ...faultRuleFields(kit) },
    mutation: faultMutations(kit),
    subscription: faultSubscriptions(kit),
  }),
};
