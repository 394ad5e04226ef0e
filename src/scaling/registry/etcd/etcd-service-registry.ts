import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Logger } from "pino";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { type EtcdEvent, EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { pipelineRoot } from "../../../etcd/pipeline-root.ts";
import { prefixRange } from "../../../etcd/requests.ts";
import { aborted } from "../../../kit/aborted.ts";
import type { Clock } from "../../../kit/clock.ts";
import { RepeatedError } from "../../../kit/repeated-error.ts";
import { type ServiceInstance, serviceInstanceSchema } from "../service-instance.ts";
import { type Listed, type RegistryEntry, type ServiceRegistry, sortedByName } from "../service-registry.ts";
import { EtcdRegistryEntry } from "./etcd-registry-entry.ts";

export interface EtcdServiceRegistryOptions {
  readonly client: EtcdClient;
  /** The pipeline's topic: each pipeline has a registry of its own. */
  readonly topic: string;
  /** Time after which the entry of a process that died disappears. */
  readonly leaseSeconds: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A watcher reads the whole list again this often, in case an event was lost. */
const resyncMs = 30_000;

/** The registry in etcd: a key for each process, bound to a lease that the process renews. */
export class EtcdServiceRegistry implements ServiceRegistry {
  private readonly prefix: string;

  constructor(private readonly options: EtcdServiceRegistryOptions) {
    this.prefix = `${pipelineRoot(options.topic)}/services/`;
  }

  async list(): Promise<Listed> {
    const { instances } = await this.read();
    return { instances: sortedByName(instances.values()), asOfMs: this.options.clock.nowMs() };
  }

  async watch(onChange: (instances: readonly ServiceInstance[]) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { client, clock, log } = this.options;
    const instances = new Map<string, ServiceInstance>();
    const pass = (): void => {
      if (!signal.aborted) onChange(sortedByName(instances.values()));
    };
    const interrupted = new RepeatedError({
      log,
      prefix: "changes of other processes are not seen",
      ended: "changes of other processes are seen again",
    });
    const watch = new EtcdWatch({
      client,
      clock,
      resyncMs,
      range: prefixRange(this.prefix),
      list: async () => {
        const { instances: listed, revision } = await this.read();
        instances.clear();
        for (const [key, instance] of listed) instances.set(key, instance);
        pass();
        return revision;
      },
      onEvents: (events) => {
        for (const event of events) apply(event, instances);
        pass();
      },
      onInterrupted: (error) => interrupted.record(error),
      onOpened: () => interrupted.clear(),
    });
    await aborted(signal);
    await watch.close();
  }

  openEntry(instanceId: string, onLost: () => void): RegistryEntry {
    const key = `${this.prefix}${encodeURIComponent(instanceId)}`;
    const { client, clock, leaseSeconds: ttlSeconds } = this.options;
    return new EtcdRegistryEntry({ client, clock, ttlSeconds, key, onLost });
  }

  private async read(): Promise<{ instances: Map<string, ServiceInstance>; revision: string }> {
    const { kvs, header } = await this.options.client.range(prefixRange(this.prefix));
    const instances = new Map<string, ServiceInstance>();
    for (const { key, value } of kvs) {
      const instance = readInstance(value);
      if (instance !== undefined) instances.set(key.toString(), instance);
    }
    return { instances, revision: header.revision };
  }
}

function apply({ type, kv }: EtcdEvent, instances: Map<string, ServiceInstance>): void {
  const key = kv.key.toString();
  const instance = type === "Delete" ? undefined : readInstance(kv.value);
  if (instance === undefined) instances.delete(key);
  else instances.set(key, instance);
}

const instantText = Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$" });
/** The schema of a key's value. TypeBox checks no formats, so instants have a pattern instead. */
const entrySchema = Type.Object(
  { ...serviceInstanceSchema.properties, started_at: instantText, updated_at: instantText },
  { additionalProperties: false },
);

/** The process of an entry. Fields that only a later version knows are left out.
 *  @returns undefined if the entry lacks a field of this version, or is no entry at all */
function readInstance(value: Buffer): ServiceInstance | undefined {
  try {
    const read = Value.Clean(entrySchema, JSON.parse(value.toString()));
    return Value.Check(entrySchema, read) ? read : undefined;
  } catch {
    return undefined;
  }
}
