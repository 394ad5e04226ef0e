import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { prefixRange } from "../../../etcd/requests.ts";
import type { Clock } from "../../../kit/clock.ts";

/** A waiting caller checks again after this time at least, in case an event was lost. */
const recheckMinMs = 1000;
/** With many callers, each waits longer: together, they check 50 times a second at most. */
const recheckOfEachMs = 20;

/** Waits until other streamers release owner keys. One watch serves all that wait, however many there are; while none waits, there is
 *  no watch. */
export class OwnerReleases {
  private readonly waiting = new Map<string, Set<() => void>>();
  private watch: EtcdWatch | undefined;

  /** @param prefix of all owner keys; other keys may have it, too */
  constructor(
    private readonly options: { readonly client: EtcdClient; readonly clock: Clock },
    private readonly prefix: string,
  ) {}

  /** Resolves when the key has been deleted, when the signal aborts, or after a time that grows with the number of callers. */
  async next(ownerKey: string, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    const ofKey = this.waiting.get(ownerKey) ?? new Set();
    this.waiting.set(ownerKey, ofKey.add(wake));
    this.watch ??= this.openWatch();
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
    const recheckMs = Math.max(recheckMinMs, this.waiting.size * recheckOfEachMs);
    // callers that began together do not check together
    await this.options.clock.sleep(recheckMs * (0.5 + Math.random()), woken.signal);
    signal.removeEventListener("abort", wake);
    ofKey.delete(wake);
    if (ofKey.size === 0) this.waiting.delete(ownerKey);
    if (this.waiting.size === 0) await this.close();
  }

  /** Closes the watch; the next caller opens another. */
  async close(): Promise<void> {
    const { watch } = this;
    this.watch = undefined;
    await watch?.close();
  }

  private openWatch(): EtcdWatch {
    const { client, clock } = this.options;
    const range = prefixRange(this.prefix);
    return new EtcdWatch({
      client,
      clock,
      range,
      deletionsOnly: true,
      list: async () => {
        const { kvs, header } = await client.range({ ...range, keys_only: true });
        const existing = new Set(kvs.map(({ key }) => key.toString()));
        for (const key of this.waiting.keys()) if (!existing.has(key)) this.wake(key);
        return header.revision;
      },
      onEvents: (events) => {
        for (const { kv } of events) this.wake(kv.key.toString());
      },
      onInterrupted: () => undefined,
    });
  }

  private wake(key: string): void {
    for (const wake of this.waiting.get(key) ?? []) wake();
  }
}
