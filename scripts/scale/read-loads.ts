import { hostname } from "node:os";
import pino from "pino";
import { parseConfig } from "../../src/config/parse-config.ts";
import { openEtcd } from "../../src/etcd/open-etcd.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { within } from "../../src/kit/within.ts";
import { EtcdServiceRegistry } from "../../src/scaling/registry/etcd/etcd-service-registry.ts";
import type { ServiceInstance, ServiceLoad } from "../../src/scaling/registry/service-instance.ts";
import { environmentOf, type Settings } from "../supervisor/child-settings.ts";

const timeoutMs = 2000;

/** The load of each process of this machine, by its id, as the processes say in etcd; empty if etcd does not answer. */
export async function readLoads(settings: Settings): Promise<ReadonlyMap<number, ServiceLoad>> {
  const config = parseConfig(environmentOf({ role: "streamer", number: 1, socket: "" }, settings));
  const client = openEtcd(config);
  if (client === undefined) return new Map();
  const { queueTopic: topic, serviceLeaseSeconds: leaseSeconds } = config;
  const log = pino({ level: "silent" });
  const registry = new EtcdServiceRegistry({ client, topic, leaseSeconds, clock, log });
  try {
    const { instances } = await within(clock, timeoutMs, () => registry.list());
    return loadsOn(hostname(), instances);
  } catch {
    return new Map();
  } finally {
    client.close();
  }
}

/** The loads by process id. Other hosts have the same ids, and an entry outlives its process: of two with one id, the newest counts. */
export function loadsOn(host: string, instances: readonly ServiceInstance[]): ReadonlyMap<number, ServiceLoad> {
  const onHost = instances.filter((instance) => instance.host === host);
  const oldestFirst = onHost.toSorted((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at));
  return new Map(oldestFirst.map(({ pid, load }) => [pid, load]));
}
