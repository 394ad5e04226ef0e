import { TokenBucket } from "../kit/token-bucket.ts";
import { payloadMaxBytes } from "../pipeline/queue/etcd/publisher.ts";
import { EtcdRounds } from "../pipeline/source/csv/etcd-rounds.ts";
import { EtcdAssignment } from "../pipeline/stream/assignment/etcd-assignment.ts";
import { LocalAssignment } from "../pipeline/stream/assignment/local-assignment.ts";
import type { RangeAssignment } from "../pipeline/stream/assignment/range-assignment.ts";
import { BackPressure } from "../pipeline/stream/back-pressure.ts";
import { showPace } from "../pipeline/stream/pace-instrument.ts";
import { Streamer } from "../pipeline/stream/streamer.ts";
import { sourceOpener } from "./open-source.ts";
import type { Role } from "./role.ts";
import type { SharedParts } from "./shared-parts.ts";

/** Reads a source and publishes it to the queue. */
export const streamer: Role = {
  name: "streamer",
  writesHotTier: false,
  async open(shared) {
    const { config, etcd, clock, log } = shared;
    const rounds = etcd === undefined ? undefined : new EtcdRounds(etcd, clock);
    const openSource = sourceOpener(config, { clock, log, rounds });
    const first = await openSource(0);
    const streaming = new Streamer({
      ...shared,
      openSource: async (round) => {
        if (round === 0) return first;
        return config.loopMode ? openSource(round) : undefined;
      },
      ranges: await openAssignment(shared),
      bucket: bucketOf(shared),
      backPressure: backPressureOf(shared),
      intervalMs: config.csvFile === undefined ? 0 : config.streamIntervalMs,
      messageMaxBytes: etcd === undefined ? Infinity : payloadMaxBytes,
    });
    return {
      services: [streaming],
      banner: { pages: [], facts: [["source", first.description]] },
      servesFromMemory: () => false,
      routes: () => [],
    };
  },
};

/** With etcd, streamers share a source range by range; alone, the store says what is left of it. */
async function openAssignment({ config, etcd, store, clock, log, instanceId }: SharedParts): Promise<RangeAssignment> {
  if (etcd === undefined) return new LocalAssignment((await store.open()).store);
  return new EtcdAssignment({
    client: etcd,
    clock,
    log,
    streamerId: instanceId,
    leaseSeconds: config.queueLeaseSeconds,
    rangeBytes: config.sourceRangeMebibytes * 1024 * 1024,
  });
}

function bucketOf({ config, clock }: SharedParts): TokenBucket {
  const { rateLimitSamplesPerSecond: ratePerSecond, batchSize } = config;
  return new TokenBucket({ ratePerSecond, burst: Math.max(ratePerSecond, batchSize), clock });
}

function backPressureOf({ config, clock, registry }: SharedParts): BackPressure {
  const { queueCapacityMessages: capacity, queueLowMarkPercent, queueHighMarkPercent } = config;
  const backPressure = new BackPressure({
    lowMessages: (capacity * queueLowMarkPercent) / 100,
    highMessages: (capacity * queueHighMarkPercent) / 100,
    clock,
  });
  showPace(backPressure, registry);
  return backPressure;
}
