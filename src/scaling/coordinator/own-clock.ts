import { formatTimestamp } from "../../domain/timestamp.ts";
import type { ServiceInstance } from "../registry/service-instance.ts";

interface Seen {
  /** As the process wrote it. */
  readonly updatedAt: string;
  /** When this process saw it, on its own clock. */
  readonly seenAtMs: number;
}

/** Moves the instants of other processes to the clock of this one, so that reports do not look old or new because two clocks differ:
 *  a report is as old as the time since it was seen to change. One that has not changed since it was first seen has the instant that
 *  it says: if the clocks differ, it counts from the next report on. */
export class OwnClock {
  private seen: ReadonlyMap<string, Seen> = new Map();

  /** @param nowMs when the instances were read; call this for each list that is read */
  translate(instances: readonly ServiceInstance[], nowMs: number): readonly ServiceInstance[] {
    const before = this.seen;
    this.seen = new Map(instances.map((instance) => [instance.instance_id, see(instance, before, nowMs)]));
    return instances.map((instance) => this.moved(instance));
  }

  private moved(instance: ServiceInstance): ServiceInstance {
    const writtenMs = Date.parse(instance.updated_at);
    const seenAtMs = this.seen.get(instance.instance_id)?.seenAtMs ?? writtenMs;
    const startedMs = Date.parse(instance.started_at) + seenAtMs - writtenMs;
    return { ...instance, updated_at: formatTimestamp(seenAtMs), started_at: formatTimestamp(startedMs) };
  }
}

function see(
  { instance_id: id, updated_at: updatedAt }: ServiceInstance,
  before: ReadonlyMap<string, Seen>,
  nowMs: number,
): Seen {
  const last = before.get(id);
  if (last === undefined) return { updatedAt, seenAtMs: Math.min(nowMs, Date.parse(updatedAt)) };
  return last.updatedAt === updatedAt ? last : { updatedAt, seenAtMs: nowMs };
}
