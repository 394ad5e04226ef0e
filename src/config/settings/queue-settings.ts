import { Type } from "@sinclair/typebox";
import { defaultTopic } from "../../domain/default-names.ts";
import { count, namePattern } from "../config-setting.ts";

/** The settings of the queue, its consumers and the hot tier. */
export const queueSettings = {
  queueTopic: Type.String({
    env: "QUEUE_TOPIC",
    default: defaultTopic,
    ...namePattern,
    description: "Name of the pipeline in etcd: of its queue, checkpoints and hot tier",
  }),
  queueLowMarkPercent: count({
    env: "QUEUE_LOW_MARK_PERCENT",
    default: 50,
    minimum: 0,
    maximum: 100,
    unit: "% of the capacity",
    description: "Depth at which streamers begin to slow down",
  }),
  queueHighMarkPercent: count({
    env: "QUEUE_HIGH_MARK_PERCENT",
    default: 90,
    minimum: 1,
    maximum: 100,
    unit: "% of the capacity",
    description: "Depth at which streamers are slowest; at the capacity they wait",
  }),
  queueCapacityMessages: count({
    env: "QUEUE_CAPACITY_MESSAGES",
    default: 500,
    minimum: 1,
    maximum: 100_000,
    unit: "messages",
    description: "Messages that the queue can hold; a full queue makes streamers wait",
  }),
  queueLeaseSeconds: count({
    env: "QUEUE_LEASE_SECONDS",
    default: 30,
    minimum: 2,
    maximum: 3600,
    unit: "s",
    description: "Time after which other processes can claim the messages and ranges of a silent process",
  }),
  queueMaxAttempts: count({
    env: "QUEUE_MAX_ATTEMPTS",
    default: 5,
    minimum: 1,
    maximum: 100,
    description: "Deliveries after which a message becomes a dead letter",
  }),
  queueMaxDeadLetters: count({
    env: "QUEUE_MAX_DEAD_LETTERS",
    default: 500,
    minimum: 1,
    maximum: 100_000,
    unit: "messages",
    description:
      "Dead letters that are kept; of more, the oldest are deleted with their records, which is logged and counted",
  }),
  hotWindowSeconds: count({
    env: "HOT_WINDOW_SECONDS",
    default: 60,
    minimum: 5,
    maximum: 3600,
    unit: "s",
    description: "Minimum time that newest records stay in etcd, unless a collector has over 64 MiB of them",
  }),
  collectorWorkers: count({
    env: "COLLECTOR_WORKERS",
    default: 8,
    minimum: 1,
    maximum: 256,
    description: "Messages that a collector stores at a time",
  }),
};
