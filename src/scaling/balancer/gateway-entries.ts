import type { ServiceInstance } from "../registry/service-instance.ts";
import type { ServiceRegistry } from "../registry/service-registry.ts";
import type { BackendEntry } from "./backend.ts";
import type { WatchEntries } from "./backends.ts";

/** The gateways of a registry. */
export function registeredGateways(registry: ServiceRegistry): WatchEntries {
  return (onChange, signal) => registry.watch((instances) => onChange(gatewayEntries(instances)), signal);
}

/** A fixed list of gateways. */
export function listedGateways(urls: readonly string[]): WatchEntries {
  return (onChange) => {
    onChange(urls.map((url) => ({ name: new URL(url).host, url: new URL(url).origin, isDraining: false })));
    return Promise.resolve();
  };
}

/** The gateways among the processes. Of several at one address, only the one that started last can be there: the others died, and
 *  their entries have not disappeared yet. */
export function gatewayEntries(instances: readonly ServiceInstance[]): readonly BackendEntry[] {
  const newest = new Map<string, ServiceInstance>();
  for (const instance of instances) {
    const other = newest.get(instance.url);
    if (!instance.roles.includes("gateway")) continue;
    if (other === undefined || other.started_at < instance.started_at) newest.set(instance.url, instance);
  }
  return [...newest.values()].map(({ name, url, state }) => ({ name, url, isDraining: state === "draining" }));
}
