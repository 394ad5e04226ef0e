import type { Logger } from "pino";
import { Counter, type Registry } from "prom-client";
import type { Clock } from "../../kit/clock.ts";
import type { EtcdClient } from "../../etcd/etcd-client.ts";
import { EtcdHotTier } from "./etcd/etcd-hot-tier.ts";
import type { HotTier } from "./hot-tier.ts";
import { MemoryHotTier } from "./memory/memory-hot-tier.ts";

/** The hot tier of this process.
 *  @param options without `etcd`, only this process has the hot tier: it must both collect and serve */
export function openHotTier(options: {
  readonly etcd: EtcdClient | undefined;
  readonly windowSeconds: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
}): HotTier {
  const { etcd, log, registry } = options;
  const coalesced = new Counter({
    name: "telemetry_hot_coalesced_records_total",
    help: "Records superseded by a newer one of the same GPU before the hot tier wrote them; the store has them",
    registers: [registry],
  });
  const refused = new Counter({
    name: "telemetry_hot_refused_total",
    help: "Records that etcd refused for the hot tier: too large, or no permission to write; the store has them",
    registers: [registry],
  });
  const onCoalesced = (records: number): void => coalesced.inc(records);
  const onRefused = (reason: Error): void => {
    refused.inc();
    log.error({ err: reason }, "etcd refused a record for the hot tier; the store has it");
  };
  return etcd === undefined
    ? new MemoryHotTier({ onCoalesced })
    : new EtcdHotTier({ ...options, client: etcd, onCoalesced, onRefused });
}
