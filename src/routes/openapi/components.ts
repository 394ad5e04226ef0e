import type { TObject } from "@sinclair/typebox";
import { healthSchema, probeSchema } from "../operations/health.ts";
import { aggregateSchema } from "../resources/telemetry/aggregate.ts";
import { clusterStatsSchema } from "../resources/hierarchy/cluster-stats-schema.ts";
import { gpuChangesSchema } from "../resources/gpus/gpu-changes.ts";
import { metricSchema } from "../resources/catalogue/metric.ts";
import { pipelineSchema } from "../resources/pipeline/pipeline-state.ts";
import { rejectionSchema } from "../resources/quarantine/rejection.ts";
import { deadLetterSchema } from "../schemas/dead-letter.ts";
import { errorSchema } from "../schemas/envelope.ts";
import { gpuSchema } from "../schemas/gpu.ts";
import { clusterSchema, hostSchema } from "../schemas/hierarchy.ts";
import { nameOf } from "../schemas/named-schema.ts";
import { telemetryRecordSchema } from "../schemas/telemetry-record.ts";

const schemas: readonly TObject[] = [
  aggregateSchema,
  clusterSchema,
  clusterStatsSchema,
  deadLetterSchema,
  errorSchema,
  gpuSchema,
  gpuChangesSchema,
  healthSchema,
  hostSchema,
  metricSchema,
  pipelineSchema,
  probeSchema,
  rejectionSchema,
  telemetryRecordSchema,
];

/** The API's types by the names that the documentation gives them. */
export const namedSchemas: Readonly<Record<string, TObject>> = Object.fromEntries(
  schemas.map((schema) => [nameOf(schema), schema]),
);
