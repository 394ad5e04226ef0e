import { gpuSchema } from "../../schemas/gpu.ts";
import { noFields, type Resource } from "../resource.ts";
import { gpuChangesSchema } from "./gpu-changes.ts";
import { gpuFields } from "./gpu-fields.ts";
import { gpuHistoryRoutes } from "./gpu-history-routes.ts";
import { gpuRoutes } from "./gpu-routes.ts";

/** GPUs, the telemetry of each GPU, and each GPU's changes over time. */
export const gpus: Resource = {
  schemas: [gpuSchema, gpuChangesSchema],
  routes: ({ viewOf }) => [gpuRoutes(viewOf), gpuHistoryRoutes(viewOf)],
  fields: (kit) => ({ ...noFields, query: gpuFields(kit) }),
};
