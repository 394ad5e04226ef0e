import { afterAll, beforeAll } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { exerciseAnyOrder } from "../contract/any-order.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";
import { openMemoryStore } from "../support/open-store.ts";

let etcd: ProvidedEtcd;
beforeAll(async () => void (etcd = await provideEtcd()), 300_000);
afterAll(() => etcd.stop());

/** A PGlite in memory is a database of its own, so both collectors use the same one. */
let shared: Promise<OpenStore> | undefined;
const openShared = (): Promise<OpenStore> => (shared ??= openMemoryStore());

function openTiers() {
  const client = new NamespacedEtcdClient(etcd, `any-order-${crypto.randomUUID()}`);
  const onRefused = (reason: Error): never => {
    throw reason;
  };
  const options = { client, topic: defaultTopic, clock: systemClock, windowSeconds: 600 };
  const openTier = (): EtcdHotTier => new EtcdHotTier({ ...options, onCoalesced: () => undefined, onRefused });
  const close = async (): Promise<void> => {
    await client.removeAll();
    client.close();
  };
  return Promise.resolve({ tiers: [openTier(), openTier()] as const, close });
}

exerciseAnyOrder("A hot tier in etcd", { open: openShared, another: openShared, openTiers, runs: 25 });
