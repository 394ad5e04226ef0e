import type { IEvent, IWatchResponse } from "etcd3";
import type { Clock } from "../kit/clock.ts";
import { EtcdCompacted, EtcdUnavailable } from "../domain/errors.ts";
import type { EtcdClient } from "./etcd-client.ts";

/** Something that happened to a key. */
export type EtcdEvent = IEvent;

export interface EtcdWatchOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** The keys, as etcd writes a range. */
  readonly range: { readonly key: Buffer; readonly range_end: Buffer };
  /** Reads the present state; called at the start, after a compaction took the events in between, and at every
   *  `resyncMs`. @returns the revision that it is the state of */
  readonly list: () => Promise<string>;
  /** Events after that revision, in order, none missing. Must not throw. */
  readonly onEvents: (events: readonly EtcdEvent[], revision: string) => void;
  /** The watch is interrupted and starts again by itself. */
  readonly onInterrupted: (error: Error) => void;
  /** Deletions carry the value that was deleted. */
  readonly withPrevious?: boolean;
  /** Only deletions. */
  readonly deletionsOnly?: boolean;
  /** Only what is written. */
  readonly putsOnly?: boolean;
  /** The watch is open: whatever happens from now on is heard of. */
  readonly onOpened?: () => void;
  /** The state is read again this often, should an event ever be lost; absent: never. */
  readonly resyncMs?: number;
}

/** The pause before a broken watch is opened again: twice as long each time, up to the second. */
const reopenMs = 200;
const reopenMaxMs = 5000;

/** Follows the changes of a range of keys, over restarts and failures of etcd: resumes after the last revision seen, and
 *  reads the state anew where the history in between is compacted.
 *
 *  LISTING -> FOLLOWING -stream fails-> (pause) FOLLOWING from the last revision
 *  FOLLOWING -history compacted, or time to resync-> LISTING; any -close-> CLOSED */
export class EtcdWatch {
  private readonly halt = new AbortController();
  private readonly running: Promise<void>;
  /** The last revision seen; undefined while the state must be read. */
  private revision: string | undefined;
  /** Since the watch was last open. */
  private failures = 0;

  constructor(private readonly options: EtcdWatchOptions) {
    this.running = this.run();
  }

  async close(): Promise<void> {
    this.halt.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, onInterrupted } = this.options;
    while (!this.halt.signal.aborted) {
      try {
        this.revision ??= await this.options.list();
        await this.follow(this.revision);
      } catch (error) {
        if (this.halt.signal.aborted) return;
        if (error instanceof EtcdCompacted) this.revision = undefined;
        onInterrupted(error as Error);
        await clock.sleep(Math.min(reopenMaxMs, reopenMs * 2 ** this.failures), this.halt.signal);
        this.failures += 1;
      }
    }
  }

  /** Ends when the watch is closed or it is time to read the state again. @throws when the stream breaks */
  private async follow(revision: string): Promise<void> {
    const { client, range, clock, withPrevious = false, resyncMs } = this.options;
    const stream = await client.openWatch();
    const ended = new AbortController();
    const stop = (): void => ended.abort();
    this.halt.signal.addEventListener("abort", stop, { once: true });
    if (resyncMs !== undefined) void clock.sleep(resyncMs, ended.signal).then(stop);
    try {
      await new Promise<void>((resolve, reject) => {
        ended.signal.addEventListener("abort", () => resolve(), { once: true });
        if (this.halt.signal.aborted) resolve();
        stream.on("data", (response) => this.take(response, reject));
        stream.on("error", (error) => reject(broken(client, error)));
        stream.on("end", () => reject(broken(client, new Error("the stream ended"))));
        const start_revision = String(BigInt(revision) + 1n);
        stream.write({ create_request: { ...range, start_revision, prev_kv: withPrevious, ...this.filters() } });
      });
      this.revision = undefined;
    } catch (error) {
      if (!(error instanceof EtcdCompacted)) stream.failed();
      throw error;
    } finally {
      stop();
      this.halt.signal.removeEventListener("abort", stop);
      stream.on("error", () => undefined);
      stream.cancel();
    }
  }

  private filters(): { filters?: ("Noput" | "Nodelete")[] } {
    const { deletionsOnly = false, putsOnly = false } = this.options;
    if (deletionsOnly) return { filters: ["Noput"] };
    return putsOnly ? { filters: ["Nodelete"] } : {};
  }

  private take(response: IWatchResponse, fail: (error: Error) => void): void {
    const { onEvents, onOpened, client } = this.options;
    if (response.created) {
      this.failures = 0;
      // one whose first revision is compacted is created and cancelled at once
      if (!response.canceled) onOpened?.();
    }
    if (response.canceled) {
      const isCompacted = response.compact_revision !== "0";
      fail(
        isCompacted
          ? new EtcdCompacted(
              `the watch's next revision was compacted; etcd keeps from ${response.compact_revision} on`,
            )
          : broken(client, new Error(response.cancel_reason)),
      );
    } else if (response.events.length > 0) {
      this.revision = response.header.revision;
      onEvents(response.events, response.header.revision);
    }
  }
}

function broken(client: EtcdClient, cause: Error): Error {
  return new EtcdUnavailable(`the watch at etcd ${client.description} broke off: ${cause.message}`, { cause });
}
