import { defaultPolicy, type ScalingPolicy } from "./policy.ts";

/** The settings that the rules follow from. */
export type ScalingSettings = Readonly<
  Record<
    | "queueCapacityMessages"
    | "queueLowMarkPercent"
    | "queueHighMarkPercent"
    | "scalingStreamerMin"
    | "scalingStreamerMax"
    | "scalingCollectorMin"
    | "scalingCollectorMax"
    | "scalingGatewayMin"
    | "scalingGatewayMax"
    | "scalingOldestAgeMs"
    | "scalingDrainMs"
    | "scalingTargetsPerStreamer"
    | "scalingRangesPerStreamer"
    | "scalingClientsPerGateway"
    | "scalingLatencyMs"
    | "scalingCpuPercent"
    | "scalingTolerancePercent"
    | "scalingUpCooldownMs"
    | "scalingDownCooldownMs"
    | "scalingDownStableMs"
    | "scalingCommandHoldMs",
    number
  >
>;

/** The rules of the coordinator's decisions, from the settings. */
export function scalingPolicy(config: ScalingSettings): ScalingPolicy {
  const { queueCapacityMessages: capacity, queueLowMarkPercent, queueHighMarkPercent } = config;
  return {
    steps: {
      ...defaultPolicy.steps,
      toleranceShare: config.scalingTolerancePercent / 100,
      upCooldownSeconds: config.scalingUpCooldownMs / 1000,
      downCooldownSeconds: config.scalingDownCooldownMs / 1000,
      downStableSeconds: config.scalingDownStableMs / 1000,
      commandHoldSeconds: config.scalingCommandHoldMs / 1000,
    },
    streamer: {
      min: config.scalingStreamerMin,
      max: config.scalingStreamerMax,
      targetsEach: config.scalingTargetsPerStreamer,
      rangesEach: config.scalingRangesPerStreamer,
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
