import type { ServiceInstance } from "./service-instance.ts";

/** The processes of a pipeline at an instant. */
export interface Listed {
  /** In the order of their names. */
  readonly instances: readonly ServiceInstance[];
  /** When the list was read, milliseconds since the epoch. */
  readonly asOfMs: number;
}

/** The running processes of a pipeline. Each has an entry, which it renews; the entry of a process that dies disappears when its
 *  lease ends. */
export interface ServiceRegistry {
  /** @throws an error of the driver */
  list(): Promise<Listed>;
  /** Passes the list on, first as it is now, then after every change, until the signal aborts. If the registry does not answer,
   *  the last list stays the newest until it answers again.
   *  @param onChange must not throw
   *  @returns when the signal has aborted; `onChange` is not called after that */
  watch(onChange: (instances: readonly ServiceInstance[]) => void, signal: AbortSignal): Promise<void>;
  /** The entry of this process, which does not exist until it is written.
   *  @param onLost called when the registry may have deleted the entry, so that it should be written again */
  openEntry(instanceId: string, onLost: () => void): RegistryEntry;
}

/** A process's own entry. */
export interface RegistryEntry {
  /** Creates or replaces the entry; does nothing after `remove`.
   *  @throws an error of the driver; the entry may have been written */
  put(instance: ServiceInstance): Promise<void>;
  /** Deletes the entry for good. If the registry does not answer, the entry disappears when its lease ends. Idempotent. */
  remove(): Promise<void>;
}

const byName = new Intl.Collator("en", { numeric: true });

/** The instances in the order of their names; collector-10 follows collector-9. */
export function sortedByName(instances: Iterable<ServiceInstance>): readonly ServiceInstance[] {
  return [...instances].sort((a, b) => byName.compare(a.name, b.name) || byName.compare(a.instance_id, b.instance_id));
}
