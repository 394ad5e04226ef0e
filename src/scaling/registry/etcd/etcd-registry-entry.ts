import { LeaseGone } from "../../../domain/errors.ts";
import { LeaseSession, type LeaseSessionOptions } from "../../../etcd/lease-session.ts";
import { put } from "../../../etcd/requests.ts";
import type { ServiceInstance } from "../service-instance.ts";
import type { RegistryEntry } from "../service-registry.ts";

export interface EtcdRegistryEntryOptions extends LeaseSessionOptions {
  readonly key: string;
  readonly onLost: () => void;
}

/** A process's key in etcd. It is bound to a lease; after the loss of the lease, the next `put` opens another. */
export class EtcdRegistryEntry implements RegistryEntry {
  private session: LeaseSession | undefined;
  private isRemoved = false;

  constructor(private readonly options: EtcdRegistryEntryOptions) {}

  async put(instance: ServiceInstance): Promise<void> {
    if (this.isRemoved) return;
    const session = await this.openSession();
    // removed meanwhile: the key must not come back; the new lease ends without one
    if (session === undefined) return;
    try {
      const { client, key } = this.options;
      await client.txn({ success: [put(key, JSON.stringify(instance), session.leaseId)] });
    } catch (error) {
      if (error instanceof LeaseGone) session.markLost();
      throw error;
    }
  }

  async remove(): Promise<void> {
    this.isRemoved = true;
    await this.session?.close();
  }

  private async openSession(): Promise<LeaseSession | undefined> {
    const { session } = this;
    if (session !== undefined && !session.signal.aborted) return session;
    const opened = await LeaseSession.open(this.options);
    if (this.isRemoved) {
      opened.markLost();
      return undefined;
    }
    this.session = opened;
    opened.signal.addEventListener("abort", () => {
      if (!this.isRemoved) this.options.onLost();
    });
    return opened;
  }
}
