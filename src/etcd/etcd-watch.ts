import type { IEvent, IWatchResponse } from "etcd3";
import type { Clock } from "../kit/clock.ts";
import { EtcdCompacted, EtcdUnavailable } from "../domain/errors.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { etcdMessage } from "./etcd-errors.ts";
import { WatchState } from "./watch-state.ts";

/** A change of a key. */
export type EtcdEvent = IEvent;

export interface EtcdWatchOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** The range of keys, in etcd's form. */
  readonly range: { readonly key: Buffer; readonly range_end: Buffer };
  /** Reads the current state. Called at the start, when a compaction has deleted events that were not received yet,
   *  every `resyncMs`, and again after a failed call. @returns the revision of the state */
  readonly list: () => Promise<string>;
  /** Receives the events after the listed revision, in order. Must not throw. */
  readonly onEvents: (events: readonly EtcdEvent[]) => void;
  /** Called when listing or following fails. The watch resumes by itself. */
  readonly onInterrupted: (error: Error) => void;
  /** If true, an event also carries the value before the change, so that a deletion carries the deleted value. */
  readonly withPrevious?: boolean;
  /** If true, only deletions are received. */
  readonly deletionsOnly?: boolean;
  /** If true, deletions are not received. */
  readonly putsOnly?: boolean;
  /** Called each time the watch has been opened: from then on, every change after the last received revision arrives. */
  readonly onOpened?: () => void;
  /** The state is listed again this often, in case an event was lost; if absent, never. */
  readonly resyncMs?: number;
}

/** The pause after the first failure. Each further failure in a row doubles the pause, up to `reopenMaxMs`. */
const reopenMs = 200;
const reopenMaxMs = 5000;

/** Follows the changes of a range of keys, across restarts and failures of etcd. It resumes after the last received revision,
 *  and lists the state again if etcd no longer has the events after that revision, or has lost what it had. Its states are in
 *  watch-state.ts. */
export class EtcdWatch {
  private readonly state = new WatchState();
  private readonly closing = new AbortController();
  /** Aborts when what was listed is no longer etcd's history. */
  private outdated = new AbortController();
  private readonly leaveHistory: () => void;
  private readonly running: Promise<void>;

  constructor(private readonly options: EtcdWatchOptions) {
    this.leaveHistory = options.client.history.onChange(() => {
      this.state.outdated();
      this.outdated.abort();
    });
    this.running = this.run();
  }

  async close(): Promise<void> {
    this.leaveHistory();
    this.state.closed();
    this.closing.abort();
    await this.running;
    this.options.client.watchProblems.ended(this);
  }

  private async run(): Promise<void> {
    for (let phase = this.state.current; phase.name !== "CLOSED"; phase = this.state.current) {
      try {
        if (phase.name === "LISTING") await this.list();
        else if (phase.name === "FOLLOWING") await this.follow(phase.revision);
        else await this.pause(phase.failures);
      } catch (error) {
        if (error instanceof EtcdCompacted) this.state.compacted();
        else this.state.interrupted();
        if (!this.closing.signal.aborted) this.interrupted(error as Error);
      }
    }
  }

  private interrupted(error: Error): void {
    const { client, range, onInterrupted } = this.options;
    client.watchProblems.failed(this, range.key, error);
    onInterrupted(error);
  }

  private async list(): Promise<void> {
    this.outdated = new AbortController();
    const { signal } = this.outdated;
    const revision = await this.options.list();
    if (!signal.aborted) this.state.listed(revision);
  }

  private async pause(failures: number): Promise<void> {
    const ms = Math.min(reopenMaxMs, reopenMs * 2 ** (failures - 1));
    await this.options.clock.sleep(ms, this.closing.signal);
    this.state.pauseEnded();
  }

  /** Resolves when the watch is closed, or when `resyncMs` has passed. @throws EtcdCompacted if etcd no longer has the next
   *  events; another error if the stream cannot be opened or breaks */
  private async follow(revision: string): Promise<void> {
    const { client, range, clock, withPrevious = false, resyncMs } = this.options;
    const stream = await client.openWatch(range.key);
    const ended = new AbortController();
    const end = (): void => ended.abort();
    const endings = AbortSignal.any([this.closing.signal, this.outdated.signal]);
    endings.addEventListener("abort", end, { once: true });
    if (resyncMs !== undefined) void clock.sleep(resyncMs, ended.signal).then(end);
    try {
      await new Promise<void>((resolve, reject) => {
        ended.signal.addEventListener("abort", () => resolve(), { once: true });
        if (endings.aborted) resolve();
        stream.on("data", (response) => this.receive(response, reject));
        stream.on("error", (error) => reject(broken(client, error)));
        stream.on("end", () => reject(broken(client, new Error("the stream ended"))));
        const start_revision = String(BigInt(revision) + 1n);
        stream.write({ create_request: { ...range, start_revision, prev_kv: withPrevious, ...this.filters() } });
      });
      this.state.resyncDue();
    } catch (error) {
      if (!(error instanceof EtcdCompacted)) stream.failed();
      throw error;
    } finally {
      end();
      endings.removeEventListener("abort", end);
      stream.on("error", () => undefined);
      stream.cancel();
    }
  }

  private filters(): { filters?: ("Noput" | "Nodelete")[] } {
    const { deletionsOnly = false, putsOnly = false } = this.options;
    if (deletionsOnly) return { filters: ["Noput"] };
    return putsOnly ? { filters: ["Nodelete"] } : {};
  }

  private receive(response: IWatchResponse, fail: (error: Error) => void): void {
    const { onEvents, onOpened, client } = this.options;
    // if the start revision has been compacted, a single response reports that the watch was created and cancelled
    if (response.created && !response.canceled) {
      this.state.opened();
      client.watchProblems.ended(this);
      onOpened?.();
    }
    const last = response.events.at(-1);
    if (response.canceled) {
      const isCompacted = response.compact_revision !== "0";
      fail(
        isCompacted
          ? new EtcdCompacted(
              `the next revision of the watch has been compacted; etcd's history starts at ${response.compact_revision}`,
            )
          : broken(client, new Error(response.cancel_reason)),
      );
    } else if (last !== undefined) {
      // not the header's revision: while a watch catches up, the header is ahead of the events
      this.state.advanced(last.kv.mod_revision);
      onEvents(response.events);
    }
  }
}

function broken(client: EtcdClient, cause: Error): Error {
  return new EtcdUnavailable(`the watch at etcd ${client.description} was interrupted: ${etcdMessage(cause)}`, {
    cause,
  });
}
