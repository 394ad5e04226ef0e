import pino from "pino";
import { parseConfig } from "../../src/config/parse-config.ts";
import { openEtcd } from "../../src/etcd/open-etcd.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { within } from "../../src/kit/within.ts";
import { EtcdServiceRegistry } from "../../src/scaling/registry/etcd/etcd-service-registry.ts";
import type { ServiceLoad } from "../../src/scaling/registry/service-instance.ts";
import { environmentOf, type Settings } from "../supervisor/child-settings.ts";

const timeoutMs = 2000;

/** The load of each process, by its id, as the processes say in etcd; empty if etcd does not answer. */
export async function readLoads(settings: Settings): Promise<ReadonlyMap<number, ServiceLoad>> {
  const config = parseConfig(environmentOf({ role: "streamer", number: 1, socket: "" }, settings));
  const client = openEtcd(config);
  if (client === undefined) return new Map();
  const { queueTopic: topic, serviceLeaseSeconds: leaseSeconds } = config;
  const log = pino({ level: "silent" });
  const registry = new EtcdServiceRegistry({ client, topic, leaseSeconds, clock, log });
  try {
    const { instances } = await within(clock, timeoutMs, () => registry.list());
    return new Map(instances.map(({ pid, load }) => [pid, load]));
  } catch {
    return new Map();
  } finally {
    client.close();
  }
}
