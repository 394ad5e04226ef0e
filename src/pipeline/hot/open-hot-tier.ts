import type { Logger } from "pino";
import { Counter, type Registry } from "prom-client";
import type { Clock } from "../../kit/clock.ts";
import type { EtcdClient } from "../../etcd/etcd-client.ts";
import { EtcdHotTier } from "./etcd/etcd-hot-tier.ts";
import type { HotTier } from "./hot-tier.ts";
import { MemoryHotTier } from "./memory/memory-hot-tier.ts";

/** The hot tier of this process.
 *  @param options without `etcd`, the hot tier is in memory and has only the records that this process collects. */
export function openHotTier(options: {
  readonly etcd: EtcdClient | undefined;
  /** The pipeline's topic. */
  readonly topic: string;
  /** Batches that this process stores at a time. */
  readonly writers: number;
  readonly windowSeconds: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
}): HotTier {
  const { etcd, log, registry } = options;
  const coalesced = new Counter({
    name: "telemetry_hot_coalesced_records_total",
    help: "Records that the hot tier did not write, because another record of the same GPU superseded them or they were merged with it; the store has them",
    registers: [registry],
  });
  const refused = new Counter({
    name: "telemetry_hot_refused_total",
    help: "Times that the hot tier left out a record that is too large, or a whole flush that etcd refused; the store has the records",
    registers: [registry],
  });
  const onCoalesced = (records: number): void => coalesced.inc(records);
  const onRefused = (reason: Error): void => {
    refused.inc();
    log.error({ err: reason }, "the hot tier left out records; the store has them");
  };
  return etcd === undefined
    ? new MemoryHotTier({ onCoalesced, clock: options.clock })
    : new EtcdHotTier({ ...options, client: etcd, onCoalesced, onRefused });
}
