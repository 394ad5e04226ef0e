import type { PaceMarks } from "../../pipeline/queue/pace.ts";

/** The roles whose processes the coordinator counts. */
export const scaledRoles = ["streamer", "collector", "gateway"] as const;

/** One of those roles. */
export type ScaledRole = (typeof scaledRoles)[number];

/** The limits of a role's count. */
export interface CountLimits {
  readonly min: number;
  readonly max: number;
}

/** How many collectors a load needs. */
export interface CollectorPolicy extends CountLimits {
  /** The oldest message may be this old. While it is older, the count never falls. */
  readonly ageTargetSeconds: number;
  /** Time in which the waiting messages are to be stored. */
  readonly drainSeconds: number;
  /** The depths between which streamers slow down, and arrivals are fewer than what the sources have. */
  readonly marks: PaceMarks;
}

/** How many streamers a load needs. */
export interface StreamerPolicy extends CountLimits {
  readonly targetsEach: number;
  readonly rangesEach: number;
  readonly cpuPercent: number;
}

/** How many gateways a load needs. */
export interface GatewayPolicy extends CountLimits {
  readonly clientsEach: number;
  readonly cpuPercent: number;
  readonly latencyMsP95: number;
}

/** When and how far counts change. */
export interface StepPolicy {
  /** Figures older than this are unknown. */
  readonly maxSignalAgeSeconds: number;
  /** The load must need this share more, or leave this share unused, before a count changes. */
  readonly toleranceShare: number;
  /** Time after a change in which the count does not rise again. */
  readonly upCooldownSeconds: number;
  /** Time after a change in which the count does not fall. */
  readonly downCooldownSeconds: number;
  /** Time for which the load must need fewer instances before the count falls. */
  readonly downStableSeconds: number;
  /** Time that new instances have to start before the count may rise again without them. */
  readonly startSeconds: number;
  /** Time for which a count does not fall below what a person's command set. */
  readonly commandHoldSeconds: number;
  /** Time after which a step up without gain is tried again. */
  readonly retrySeconds: number;
}

/** The rules of the coordinator's decisions. */
export interface ScalingPolicy {
  readonly steps: StepPolicy;
  readonly streamer: StreamerPolicy;
  readonly collector: CollectorPolicy;
  readonly gateway: GatewayPolicy;
}

/** The default rules, which `bun run simulate-scaling` tries out. */
export const defaultPolicy: ScalingPolicy = {
  steps: {
    maxSignalAgeSeconds: 15,
    toleranceShare: 0.1,
    upCooldownSeconds: 10,
    downCooldownSeconds: 60,
    downStableSeconds: 60,
    startSeconds: 30,
    commandHoldSeconds: 600,
    retrySeconds: 300,
  },
  streamer: { min: 1, max: 10, targetsEach: 1000, rangesEach: 5, cpuPercent: 70 },
  collector: {
    min: 1,
    max: 10,
    ageTargetSeconds: 5,
    drainSeconds: 20,
    marks: { lowMessages: 250, highMessages: 450 },
  },
  gateway: { min: 2, max: 5, clientsEach: 1000, cpuPercent: 70, latencyMsP95: 250 },
};
