import type { StoredRecord } from "../../domain/query.ts";
import type { LiveUpdate } from "./live-feed.ts";
import type { ControlMessage } from "./messages.ts";
import type { UpdateOrigin } from "./metric-selection.ts";
import { ReplayDedup } from "./replay-dedup.ts";
import type { SharedTopic, SharedTopics, UpdateReceiver } from "./shared-topic.ts";
import type { SubscriptionRequest } from "./subscription-request.ts";

/** The maximum number of live records that wait while the history is sent; if there are more, the older half of them is
 *  skipped. */
const backlogMax = 10_000;

interface WaitingRecord {
  record: StoredRecord;
  origin: UpdateOrigin | undefined;
}

type SubscriptionState =
  | { readonly name: "HELD" | "DIRECT" | "ENDED" }
  /** `backlog`: live records that arrived since the replay began, in the order of arrival. */
  | { readonly name: "REPLAYING"; backlog: StoredRecord[] };

interface SubscriptionOptions {
  readonly id: string;
  readonly request: SubscriptionRequest;
  readonly topics: SharedTopics;
  /** Called when a message waits to be sent; not called by `addSnapshot`. */
  readonly onWaiting: () => void;
  /** Called with the number of records that will not be sent: newer ones superseded them, or the backlog was full. */
  readonly onSkipped: (count: number) => void;
  readonly onEnd: () => void;
}

/** One subscription of a socket, with everything that waits to be sent.
 *
 *  HELD       Updates wait here until the socket sends them. Of the updates that arrive in this state, only the newest
 *             of each GPU waits, so that the memory of a slow socket does not grow with time.
 *  REPLAYING  Pages of the history wait in a queue, one page at a time. Live updates wait in a backlog, which is sent after
 *             the history.
 *  DIRECT     Nothing waits: the socket follows the topic, and updates do not pass through here.
 *  ENDED      Nothing is sent any more.
 *
 *  HELD -beginReplay-> REPLAYING -endReplay-> HELD
 *  HELD -startDirect, when idle-> DIRECT -stopDirect-> HELD
 *  any -end-> ENDED
 *
 *  A subscription begins HELD. An event that has no arrow in a state does not change the state. */
export class Subscription implements UpdateReceiver {
  readonly id: string;
  readonly request: SubscriptionRequest;
  private readonly sharedTopic: SharedTopic;
  private state: SubscriptionState = { name: "HELD" };
  /** Sent before `newest`: records in order, and the texts of messages between them. */
  private queue: (WaitingRecord | string)[] = [];
  private queueIndex = 0;
  private onQueueEmpty: (() => void) | undefined;
  private readonly newest = new Map<string, WaitingRecord>();
  private readonly dedup = new ReplayDedup();
  private skipped = 0;

  constructor(private readonly options: SubscriptionOptions) {
    this.id = options.id;
    this.request = options.request;
    this.sharedTopic = options.topics.join(options.request, this);
  }

  get stateName(): SubscriptionState["name"] {
    return this.state.name;
  }

  /** Name of the topic that the socket follows while the subscription is DIRECT. */
  get topic(): string {
    return this.sharedTopic.name;
  }

  receive({ record }: LiveUpdate): void {
    if (this.dedup.covers(record)) return;
    if (this.state.name === "REPLAYING") this.addToBacklog(this.state.backlog, record);
    if (this.state.name !== "HELD") return;
    this.replaceNewest(record);
    this.options.onWaiting();
  }

  /** While HELD, adds the newest record of each GPU to the waiting records. */
  addSnapshot(records: readonly StoredRecord[]): void {
    if (this.state.name !== "HELD") return;
    for (const record of records) this.newest.set(record.gpu.uuid, { record, origin: "snapshot" });
  }

  /** HELD -> REPLAYING: from now on, live records wait until the history has been sent. */
  beginReplay(): void {
    if (this.state.name === "HELD") this.state = { name: "REPLAYING", backlog: [] };
  }

  /** Queues a page of the history. A live record whose values are all in the page is not sent again.
   *  @param records in time order
   *  @param newestMs returns the instant of a GPU's newest live record; records that arrive live after this call are not
   *  older
   *  @returns a promise that resolves when the page was sent or the subscription has ended; immediately if nothing is queued */
  addHistory(records: readonly StoredRecord[], newestMs: (uuid: string) => number): Promise<void> {
    if (this.state.name !== "REPLAYING" || records.length === 0) return Promise.resolve();
    const page = new ReplayDedup();
    page.add(records, () => -Infinity);
    this.state.backlog = this.state.backlog.filter((record) => !page.covers(record));
    this.dedup.add(records, newestMs);
    for (const record of records) this.queue.push({ record, origin: "replay" });
    return new Promise((resolve) => {
      this.onQueueEmpty = resolve;
      this.options.onWaiting();
    });
  }

  /** REPLAYING -> HELD: queues the message, then the backlog. */
  endReplay(message: ControlMessage): void {
    if (this.state.name !== "REPLAYING") return;
    this.queue.push(JSON.stringify(message));
    for (const record of this.state.backlog) this.queue.push({ record, origin: undefined });
    this.state = { name: "HELD" };
    this.options.onWaiting();
  }

  /** The next text to send; undefined if nothing waits. */
  next(): string | undefined {
    if (this.skipped > 0 && this.state.name === "HELD") {
      const text = JSON.stringify({ type: "skipped", id: this.id, count: this.skipped } satisfies ControlMessage);
      this.skipped = 0;
      return text;
    }
    for (;;) {
      const waiting = this.nextOfQueue() ?? this.nextOfNewest();
      if (waiting === undefined || typeof waiting === "string") return waiting;
      const text = this.sharedTopic.textOf(waiting.record, waiting.origin);
      if (text === undefined) continue;
      if (waiting.origin === undefined) this.sharedTopic.sent(waiting.record);
      return text;
    }
  }

  /** HELD -> DIRECT, if nothing waits and no more live records have to be compared with the replay.
   *  @returns true if the subscription is now DIRECT; the socket must then follow the topic */
  startDirect(): boolean {
    if (this.state.name !== "HELD" || this.newest.size > 0 || this.queue.length > 0 || !this.dedup.isOver) return false;
    this.state = { name: "DIRECT" };
    this.sharedTopic.startDirect(this);
    return true;
  }

  /** DIRECT -> HELD. Call it when the socket no longer follows the topic. */
  stopDirect(): void {
    if (this.state.name !== "DIRECT") return;
    this.state = { name: "HELD" };
    this.sharedTopic.stopDirect(this);
  }

  /** Leaves the topic and drops everything that waits. */
  end(): void {
    if (this.state.name === "ENDED") return;
    this.stopDirect();
    this.state = { name: "ENDED" };
    this.options.topics.leave(this.request, this);
    this.queue = [];
    this.newest.clear();
    this.onQueueEmpty?.();
    this.options.onEnd();
  }

  private addToBacklog(backlog: StoredRecord[], record: StoredRecord): void {
    backlog.push(record);
    if (backlog.length > backlogMax) this.skip(backlog.splice(0, backlogMax / 2).length);
  }

  private nextOfQueue(): WaitingRecord | string | undefined {
    const first = this.queue[this.queueIndex];
    if (first === undefined) return undefined;
    this.queueIndex += 1;
    if (this.queueIndex === this.queue.length) {
      this.queue = [];
      this.queueIndex = 0;
      this.onQueueEmpty?.();
    }
    return first;
  }

  private nextOfNewest(): WaitingRecord | undefined {
    for (const [uuid, waiting] of this.newest) {
      this.newest.delete(uuid);
      return waiting;
    }
    return undefined;
  }

  private replaceNewest(record: StoredRecord): void {
    const { uuid } = record.gpu;
    const waiting = this.newest.get(uuid);
    if (waiting === undefined) {
      this.newest.set(uuid, { record, origin: undefined });
      return;
    }
    // no record is skipped if the waiting record is a snapshot, or the same record before its values changed
    if (waiting.origin === undefined && waiting.record.timeMs !== record.timeMs) this.skip(1);
    waiting.record = record;
    waiting.origin = undefined;
  }

  private skip(count: number): void {
    this.skipped += count;
    this.options.onSkipped(count);
  }
}
