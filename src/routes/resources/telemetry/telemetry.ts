import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";
import { noFields, type Resource } from "../resource.ts";
import { aggregateSchema } from "./aggregate.ts";
import { aggregateRoutes } from "./aggregate-routes.ts";
import { fleetMetricsRoutes } from "./fleet-metrics-routes.ts";
import { liveFields } from "./live-fields.ts";
import { otlpAnswerSchema, otlpRoutes } from "./otlp-routes.ts";
import { pushResultSchema } from "./push-result.ts";
import { pushRoutes } from "./push-routes.ts";
import { telemetryFields } from "./telemetry-fields.ts";
import { telemetryRelations } from "./telemetry-relations.ts";
import { telemetryRoutes } from "./telemetry-routes.ts";
import { writeRoutes } from "./write-routes.ts";

/** Telemetry of GPUs: the newest records, the history, aggregates, and subscriptions. */
export const telemetry: Resource = {
  schemas: [aggregateSchema, telemetryRecordSchema, pushResultSchema, otlpAnswerSchema],
  routes: (parts) => [
    telemetryRoutes(parts.viewOf),
    aggregateRoutes(parts.viewOf, parts.clock),
    fleetMetricsRoutes(parts),
    pushRoutes(parts),
    writeRoutes(parts),
    otlpRoutes(parts),
  ],
  fields: (kit) => ({
    ...noFields,
    query: telemetryFields(kit),
    subscription: liveFields(kit),
    relations: telemetryRelations(kit),
  }),
};
