import { TokenBucket } from "../kit/token-bucket.ts";
import { payloadMaxBytes } from "../pipeline/queue/etcd/publish-groups.ts";
import { BackPressure } from "../pipeline/stream/back-pressure.ts";
import type { BatchPublisherOptions } from "../pipeline/stream/batch-publisher.ts";
import type { StreamRetries } from "../pipeline/stream/stream-retries.ts";
import type { SharedParts } from "./shared-parts.ts";

/** What a publisher of batches works with, by the settings of the rate and of the queue.
 *  @param usualBatchSize rows of a batch, if no setting says how many */
export function publishingOf(
  { config, etcd, queue, clock, listener }: SharedParts,
  retries: StreamRetries,
  usualBatchSize: number,
): BatchPublisherOptions {
  const { rateLimitSamplesPerSecond: tokensPerSecond, batchSize = usualBatchSize } = config;
  const { queueCapacityMessages: capacity, queueLowMarkPercent, queueHighMarkPercent } = config;
  return {
    ...{ queue, clock, listener, retries },
    bucket: new TokenBucket({ tokensPerSecond, burstTokens: Math.max(tokensPerSecond, batchSize), clock }),
    backPressure: new BackPressure({
      lowMessages: (capacity * queueLowMarkPercent) / 100,
      highMessages: (capacity * queueHighMarkPercent) / 100,
      clock,
    }),
    messageMaxBytes: etcd === undefined ? Infinity : payloadMaxBytes,
  };
}
