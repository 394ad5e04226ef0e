import { gpuSchema } from "../../schemas/gpu.ts";
import { noFields, type Resource } from "../resource.ts";
import { gpuChangesSchema } from "./gpu-changes.ts";
import { gpuFields } from "./gpu-fields.ts";
import { gpuHistoryRoutes } from "./gpu-history-routes.ts";
import { gpuRoutes } from "./gpu-routes.ts";

/** GPUs, the telemetry of each GPU, and each GPU's changes over time. */
export const gpus: Resource = {
  schemas: [gpuSchema, gpuChangesSchema],
  routes: ({ answers, history, queries }) => [gpuRoutes(answers), gpuHistoryRoutes(history, queries.fleet)],
  fields: (kit) => ({ ...noFields, query: gpuFields(kit) }),
};
