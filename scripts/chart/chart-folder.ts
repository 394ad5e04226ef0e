import { resolve } from "node:path";

/** The folder of the Helm chart. */
export const chartFolder = resolve(import.meta.dir, "../../deployments/helm/telemetry-pipeline");
