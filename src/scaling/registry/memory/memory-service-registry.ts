import { aborted } from "../../../kit/aborted.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { ServiceInstance } from "../service-instance.ts";
import { type Listed, type RegistryEntry, type ServiceRegistry, sortedByName } from "../service-registry.ts";

type OnChange = (instances: readonly ServiceInstance[]) => void;

/** The registry of a process that shares nothing with other processes: it has only that process. */
export class MemoryServiceRegistry implements ServiceRegistry {
  private readonly instances = new Map<string, ServiceInstance>();
  private readonly watchers = new Set<OnChange>();

  constructor(private readonly clock: Clock) {}

  list(): Promise<Listed> {
    return Promise.resolve({ instances: this.sorted(), asOfMs: this.clock.nowMs() });
  }

  async watch(onChange: OnChange, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.watchers.add(onChange);
    onChange(this.sorted());
    await aborted(signal);
    this.watchers.delete(onChange);
  }

  openEntry(instanceId: string): RegistryEntry {
    let isRemoved = false;
    return {
      put: (instance) => {
        if (!isRemoved) this.instances.set(instanceId, instance);
        this.changed();
        return Promise.resolve();
      },
      remove: () => {
        isRemoved = true;
        this.instances.delete(instanceId);
        this.changed();
        return Promise.resolve();
      },
    };
  }

  private sorted(): readonly ServiceInstance[] {
    return sortedByName(this.instances.values());
  }

  private changed(): void {
    for (const onChange of this.watchers) onChange(this.sorted());
  }
}
