import type { Settings } from "../supervisor/child-settings.ts";
import type { ShownInstance } from "../supervisor/protocol.ts";
import { type Health, probeOrigin, readHealth } from "./probe.ts";
import { UsageMeter } from "./process-usage.ts";
import { readLoads } from "./read-loads.ts";
import type { StatusRow } from "./status-table.ts";

/** Asks each process for its health, etcd for what the processes report, and the system for what they use. */
export async function readStatusRows(
  instances: readonly ShownInstance[],
  settings: Settings,
): Promise<readonly StatusRow[]> {
  const meter = new UsageMeter(instances.flatMap(({ pid }) => pid ?? []));
  const origin = probeOrigin(settings);
  const healthOf = async ({ role, port }: ShownInstance): Promise<Health | undefined> =>
    port === undefined ? undefined : await readHealth(origin, { role, port });
  const [loads, healths] = await Promise.all([readLoads(settings), Promise.all(instances.map(healthOf))]);
  const usages = await meter.read();
  return instances.map((instance, index) => {
    const { pid = 0 } = instance;
    // a process reports nothing in its first seconds, and the balancer never does
    return { instance, health: healths[index], load: { ...usages.get(pid), ...loads.get(pid) } };
  });
}
