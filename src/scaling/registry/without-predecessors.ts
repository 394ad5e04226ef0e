import type { ServiceInstance } from "./service-instance.ts";

/** The instances without those that others of the same name have followed. The entry of a process that died stays until its lease
 *  ends, next to that of the process that was started in its place: it is the older one, and has not reported since the newer one
 *  started. Two processes that run under one name by mistake both stay. */
export function withoutPredecessors(instances: readonly ServiceInstance[]): readonly ServiceInstance[] {
  const newest = new Map<string, number>();
  for (const { name, started_at: startedAt } of instances) {
    newest.set(name, Math.max(newest.get(name) ?? 0, Date.parse(startedAt)));
  }
  return instances.filter(({ name, started_at: startedAt, updated_at: updatedAt }) => {
    const newestMs = newest.get(name) ?? 0;
    return Date.parse(startedAt) === newestMs || Date.parse(updatedAt) > newestMs;
  });
}
