import type { Logger } from "pino";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { aborted } from "../../kit/aborted.ts";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import { endsWithin } from "../../kit/within.ts";
import type { ServiceAddress } from "./service-address.ts";
import type { ServiceInstance, ServiceLoad } from "./service-instance.ts";
import type { RegistryEntry, ServiceRegistry } from "./service-registry.ts";

/** What stays the same while a process runs. */
export type ServiceIdentity = Pick<
  ServiceInstance,
  "instance_id" | "name" | "roles" | "host" | "pid" | "version" | "topic" | "cluster_id" | "started_at"
>;

/** The state of a process's parts. */
export interface ServiceReport extends Pick<ServiceInstance, "health" | "errors"> {
  readonly isReady: boolean;
  readonly load: ServiceLoad;
}

export interface RegistrationOptions {
  readonly registry: ServiceRegistry;
  readonly identity: ServiceIdentity;
  /** The address that the process will have; undefined while its port is unknown. */
  readonly address: ServiceAddress | undefined;
  /** Reads the state of the process; must not throw. */
  readonly report: () => Promise<ServiceReport>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pause between two writes of the entry; the first figures of a new load are this old at most. */
const refreshMs = 5000;
/** The pause after a failed write. */
const retryMs = 1000;
/** The time that etcd may take to delete the entry. If it takes longer, the entry disappears when its lease ends. */
const removalMs = 1000;

type Phase =
  | { readonly name: "STARTING"; readonly address: ServiceAddress | undefined }
  | { readonly name: "SERVING"; readonly address: ServiceAddress }
  | { readonly name: "DRAINING"; readonly address: ServiceAddress | undefined };

/** Keeps the process's entry in the registry: writes it at the start, every 5 s, when the process listens, when it is about to
 *  stop, and as soon as the registry has lost it. Deletes it at the end. While the address is unknown, there is no entry.
 *
 *  STARTING (state starting) -serve-> SERVING (ready, unready) -drain-> DRAINING (draining); STARTING -drain-> DRAINING */
export class Registration extends BaseService {
  private readonly failing = this.repeatedError({
    prefix: "other processes may not see this one",
    ended: "other processes see this one again",
  });
  private readonly entry: RegistryEntry;
  private phase: Phase;
  private latest: ServiceReport = { health: "ok", errors: [], isReady: false, load: {} };
  private writing = Promise.resolve();
  private waking = new AbortController();

  constructor(private readonly options: RegistrationOptions) {
    super("registry", options.log);
    this.phase = { name: "STARTING", address: options.address };
    this.entry = options.registry.openEntry(options.identity.instance_id, () => this.wake());
    this.stopping.addEventListener("abort", () => this.wake(), { once: true });
  }

  /** Call this when the process listens. */
  serve(address: ServiceAddress): void {
    if (this.phase.name === "STARTING") this.phase = { name: "SERVING", address };
    this.wake();
  }

  /** Call this when the process is about to stop. The entry says so at once, without waiting for a report. */
  drain(): void {
    this.phase = { name: "DRAINING", address: this.phase.address };
    void this.write();
  }

  protected override async run(): Promise<void> {
    while (!this.stopping.aborted) {
      this.waking = new AbortController();
      const { signal } = this.waking;
      await Promise.race([this.refresh(), aborted(signal)]);
      await this.options.clock.sleep(this.error() === undefined ? refreshMs : retryMs, signal);
    }
  }

  protected override async close(): Promise<void> {
    await endsWithin(this.options.clock, removalMs, () => this.entry.remove());
  }

  private async refresh(): Promise<void> {
    this.latest = await this.options.report();
    await this.write();
  }

  /** Writes one after another, each what is true when its turn comes: a write from before `drain` must not come after it. */
  private write(): Promise<void> {
    this.writing = this.writing.then(async () => {
      const instance = this.instance();
      if (instance === undefined || this.stopping.aborted) return;
      try {
        await this.entry.put(instance);
        this.failing.clear();
      } catch (error) {
        if (!this.stopping.aborted) this.failing.record(error);
      }
    });
    return this.writing;
  }

  private instance(): ServiceInstance | undefined {
    const { identity, clock } = this.options;
    const { health, errors, load } = this.latest;
    const { address } = this.phase;
    if (address === undefined) return undefined;
    const updatedAt = formatTimestamp(clock.nowMs());
    return { ...identity, ...address, state: this.shownState(), health, errors, updated_at: updatedAt, load };
  }

  private shownState(): ServiceInstance["state"] {
    if (this.phase.name === "SERVING") return this.latest.isReady ? "ready" : "unready";
    return this.phase.name === "STARTING" ? "starting" : "draining";
  }

  private wake(): void {
    this.waking.abort();
  }
}
