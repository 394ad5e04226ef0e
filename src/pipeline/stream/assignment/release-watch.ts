import type { Clock } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { prefixRange } from "../../../etcd/requests.ts";

/** The longest wait: the caller then checks again, even if the watch missed an event. */
const recheckMs = 1000;

/** Waits until another streamer releases a range or a source. */
export class ReleaseWatch {
  private wake: () => void = () => undefined;
  private readonly watch: EtcdWatch;

  /** @param ownerPrefix the owner key, or the prefix of the owner keys, whose deletion is a release */
  constructor(
    private readonly options: { readonly client: EtcdClient; readonly clock: Clock },
    ownerPrefix: string,
  ) {
    const { client, clock } = options;
    const range = prefixRange(ownerPrefix);
    this.watch = new EtcdWatch({
      client,
      clock,
      range,
      deletionsOnly: true,
      list: async () => {
        const { header } = await client.range({ ...range, count_only: true });
        // releases before this revision are not reported
        this.wake();
        return header.revision;
      },
      onEvents: () => this.wake(),
      onInterrupted: () => this.wake(),
    });
  }

  /** Resolves at the next release, when the watch is listed or interrupted, when `otherEvent` resolves, when the signal aborts, or
   *  after a second. */
  async next(signal: AbortSignal, otherEvent?: Promise<void>): Promise<void> {
    const woken = new AbortController();
    this.wake = () => woken.abort();
    void otherEvent?.then(this.wake);
    await this.options.clock.sleep(recheckMs, AbortSignal.any([signal, woken.signal]));
  }

  close(): Promise<void> {
    return this.watch.close();
  }
}
