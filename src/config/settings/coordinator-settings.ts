import { Type } from "@sinclair/typebox";
import { count, duration } from "../config-setting.ts";

const limit = (env: string, description: string, byDefault: number) =>
  count({ env, default: byDefault, minimum: 1, maximum: 10_000, description });

/** The settings of the coordinator, which decides how many processes each role should have. */
export const coordinatorSettings = {
  executor: Type.Union([Type.Literal("none"), Type.Literal("local"), Type.Literal("kubernetes")], {
    env: "EXECUTOR",
    default: "none",
    description:
      "What carries out the coordinator's decisions: none, the supervisor of this machine, or a Kubernetes cluster",
  }),
  supervisorSocket: Type.String({
    env: "SUPERVISOR_SOCKET",
    default: "data/run/supervisor.sock",
    minLength: 1,
    description: "Unix socket of the supervisor, for EXECUTOR=local",
  }),
  scalingStreamerMin: limit("SCALING_STREAMER_MIN", "Minimum number of streamers", 1),
  scalingStreamerMax: limit("SCALING_STREAMER_MAX", "Maximum number of streamers", 10),
  scalingCollectorMin: limit("SCALING_COLLECTOR_MIN", "Minimum number of collectors", 1),
  scalingCollectorMax: limit("SCALING_COLLECTOR_MAX", "Maximum number of collectors", 10),
  scalingGatewayMin: limit("SCALING_GATEWAY_MIN", "Minimum number of gateways", 2),
  scalingGatewayMax: limit("SCALING_GATEWAY_MAX", "Maximum number of gateways", 5),
  scalingOldestAgeMs: duration({
    env: "SCALING_OLDEST_AGE",
    default: 5000,
    minimum: 1000,
    maximum: 3_600_000,
    description: "Age that the oldest message of the queue may have; while it is older, collectors are not reduced",
  }),
  scalingDrainMs: duration({
    env: "SCALING_DRAIN",
    default: 20_000,
    minimum: 1000,
    maximum: 3_600_000,
    description: "Time in which collectors are to store the messages that wait",
  }),
  scalingTargetsPerStreamer: count({
    env: "SCALING_TARGETS_PER_STREAMER",
    // 1,250 exporters of 8 GPUs, every 15 s, take a fifth of a core; processor time is a signal of its own
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    description: "Live sources that one streamer is to read",
  }),
  scalingRangesPerStreamer: count({
    env: "SCALING_RANGES_PER_STREAMER",
    default: 5,
    minimum: 1,
    maximum: 1_000_000,
    unit: "ranges of SOURCE_RANGE_MIB",
    description: "Unread ranges of files that one streamer is to read",
  }),
  scalingClientsPerGateway: count({
    env: "SCALING_CLIENTS_PER_GATEWAY",
    default: 1000,
    minimum: 1,
    maximum: 1_000_000,
    unit: "WebSockets and requests in progress",
    description: "Clients that one gateway is to serve",
  }),
  scalingLatencyMs: duration({
    env: "SCALING_LATENCY",
    default: 250,
    minimum: 1,
    maximum: 60_000,
    description: "95th percentile of response times above which busy gateways get one more",
  }),
  scalingCpuPercent: count({
    env: "SCALING_CPU_PERCENT",
    default: 70,
    minimum: 1,
    maximum: 1000,
    unit: "% of a core",
    description: "Processor time that a streamer or gateway is to use on average",
  }),
  scalingTolerancePercent: count({
    env: "SCALING_TOLERANCE_PERCENT",
    default: 10,
    minimum: 0,
    maximum: 100,
    unit: "%",
    description: "Load above or below what the processes can take that changes no count",
  }),
  scalingUpCooldownMs: duration({
    env: "SCALING_UP_COOLDOWN",
    default: 10_000,
    description: "Time after a change of a count in which it does not rise again",
  }),
  scalingDownCooldownMs: duration({
    env: "SCALING_DOWN_COOLDOWN",
    default: 60_000,
    description: "Time after a change of a count in which it does not fall",
  }),
  scalingDownStableMs: duration({
    env: "SCALING_DOWN_STABLE",
    default: 60_000,
    description: "Time for which the load must need fewer processes before a count falls",
  }),
  scalingCommandHoldMs: duration({
    env: "SCALING_COMMAND_HOLD",
    default: 600_000,
    description: "Time for which a count does not fall below what a command such as scale-collectors set",
  }),
};
