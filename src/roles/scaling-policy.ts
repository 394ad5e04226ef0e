import type { Config } from "../config/parse-config.ts";
import { defaultPolicy, type ScalingPolicy } from "../scaling/coordinator/policy.ts";

/** The rules of the coordinator's decisions, from the settings. */
export function scalingPolicy(config: Config): ScalingPolicy {
  const { queueCapacityMessages: capacity, queueLowMarkPercent, queueHighMarkPercent } = config;
  return {
    steps: {
      ...defaultPolicy.steps,
      toleranceShare: config.scalingTolerancePercent / 100,
      upCooldownSeconds: config.scalingUpCooldownMs / 1000,
      downCooldownSeconds: config.scalingDownCooldownMs / 1000,
      downStableSeconds: config.scalingDownStableMs / 1000,
    },
    streamer: {
      ...defaultPolicy.streamer,
      min: config.scalingStreamerMin,
      max: config.scalingStreamerMax,
      targetsEach: config.scalingTargetsPerStreamer,
      cpuPercent: config.scalingCpuPercent,
    },
    collector: {
      min: config.scalingCollectorMin,
      max: config.scalingCollectorMax,
      ageTargetSeconds: config.scalingOldestAgeMs / 1000,
      drainSeconds: config.scalingDrainMs / 1000,
      marks: {
        lowMessages: (capacity * queueLowMarkPercent) / 100,
        highMessages: (capacity * queueHighMarkPercent) / 100,
      },
    },
    gateway: {
      min: config.scalingGatewayMin,
      max: config.scalingGatewayMax,
      clientsEach: config.scalingClientsPerGateway,
      cpuPercent: config.scalingCpuPercent,
      latencyMsP95: config.scalingLatencyMs,
    },
  };
}
