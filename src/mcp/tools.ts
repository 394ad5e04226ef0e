import type { Tool } from "./tool.ts";
import { faults } from "./tools/faults.ts";
import { fleetOverview } from "./tools/fleet-overview.ts";
import { gpuUsage } from "./tools/gpu-usage.ts";
import { listGpus } from "./tools/list-gpus.ts";
import { listMetrics } from "./tools/list-metrics.ts";
import { metricHistory } from "./tools/metric-history.ts";
import { pipelineHealth } from "./tools/pipeline-health.ts";
import { whoHolds } from "./tools/who-holds.ts";

/** All tools. */
export const tools: readonly Tool[] = [
  ...[fleetOverview, listGpus, whoHolds, faults, gpuUsage],
  ...[metricHistory, listMetrics, pipelineHealth],
];
