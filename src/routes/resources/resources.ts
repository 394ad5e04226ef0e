import { access } from "./access/access.ts";
import { archive } from "./archive/archive.ts";
import { catalogue } from "./catalogue/catalogue.ts";
import { coverage } from "./coverage/coverage.ts";
import { faults } from "./faults/faults.ts";
import { gpus } from "./gpus/gpus.ts";
import { hierarchy } from "./hierarchy/hierarchy.ts";
import { inventory } from "./inventory/inventory.ts";
import { pipeline } from "./pipeline/pipeline.ts";
import { promql } from "./promql/promql.ts";
import { quarantine } from "./quarantine/quarantine.ts";
import type { Resource } from "./resource.ts";
import { scaling } from "./scaling/scaling.ts";
import { services } from "./services/services.ts";
import { targets } from "./targets/targets.ts";
import { telemetry } from "./telemetry/telemetry.ts";
import { uploads } from "./uploads/uploads.ts";
import { usage } from "./usage/usage.ts";

/** The API's nouns. The REST routes, the OpenAPI document and the GraphQL schema are assembled from this list. */
export const resources: readonly Resource[] = [
  gpus,
  hierarchy,
  telemetry,
  coverage,
  usage,
  inventory,
  faults,
  catalogue,
  promql,
  uploads,
  quarantine,
  pipeline,
  services,
  targets,
  scaling,
  archive,
  access,
];
