import type { StoredRecord } from "../../domain/query.ts";
import type { SharedTopic, SharedTopics, UpdateHolder, SubscriptionRequest } from "./shared-topic.ts";
import type { LiveUpdate } from "./live-feed.ts";
import type { ControlMessage } from "./messages.ts";
import { ReplayDedup } from "./replay-dedup.ts";
import type { UpdateOrigin } from "./metric-selection.ts";

/** Live records that are kept while a history is read; beyond, the oldest are skipped. */
const backlogMax = 10_000;

interface WaitingRecord {
  record: StoredRecord;
  origin: UpdateOrigin | undefined;
}

interface SubscriptionOptions {
  readonly id: string;
  readonly wanted: SubscriptionRequest;
  readonly channels: SharedTopics;
  /** Told that there is something to send. */
  readonly onWaiting: () => void;
  /** Told of records that a newer one stands in for. */
  readonly onSkipped: (count: number) => void;
}

/** A subscription of a socket: what of it waits to be sent.
 *
 *  Records of the present wait as the newest of each GPU, so that what a slow socket costs does not grow with time. Those
 *  of the past wait in line, in front of them, a page at a time; while there are more, live ones are kept behind them.
 *
 *  REPLAYING -history read-> HELD -nothing waits, socket not behind-> DIRECT -socket behind-> HELD. Without history it
 *  begins HELD. */
export class Subscription implements UpdateHolder {
  readonly id: string;
  private readonly channel: SharedTopic;
  /** Records, and texts of messages between them. */
  private line: (WaitingRecord | string)[] = [];
  private lineAt = 0;
  private onLineEmpty: (() => void) | undefined;
  private readonly newest = new Map<string, WaitingRecord>();
  private backlog: StoredRecord[] | undefined;
  private readonly overlap = new ReplayDedup();
  private skipped = 0;
  private isDirect = false;
  private hasEnded = false;

  constructor(private readonly options: SubscriptionOptions) {
    this.id = options.id;
    this.channel = options.channels.join(options.wanted, this);
  }

  get topic(): string {
    return this.channel.topic;
  }

  get wanted(): SubscriptionRequest {
    return this.options.wanted;
  }

  get isOver(): boolean {
    return this.hasEnded;
  }

  /** Nothing waits, and nothing has to be looked at before it is sent. */
  get isIdle(): boolean {
    return this.newest.size === 0 && this.line.length === 0 && this.backlog === undefined && this.overlap.isOver;
  }

  hold({ record }: LiveUpdate): void {
    if (this.overlap.covers(record)) return;
    if (this.backlog !== undefined) {
      this.backlog.push(record);
      if (this.backlog.length > backlogMax) this.skip(this.backlog.splice(0, backlogMax / 2).length);
      return;
    }
    this.replaceNewest(record);
    this.options.onWaiting();
  }

  /** Lets last known values wait. */
  addSnapshot(records: readonly StoredRecord[]): void {
    for (const record of records) this.newest.set(record.gpu.uuid, { record, origin: "snapshot" });
  }

  /** From now on live records wait until the history was told. */
  beginReplay(): void {
    this.backlog = [];
  }

  /** Lets a page of the history wait; what of it came live meanwhile is told once.
   *  @param records in the order of their instants
   *  @param newestMs instant of the newest record that was told of a GPU
   *  @returns resolves when the page was sent, or the subscription has ended */
  addHistory(records: readonly StoredRecord[], newestMs: (uuid: string) => number): Promise<void> {
    if (this.hasEnded || records.length === 0) return Promise.resolve();
    const page = new ReplayDedup();
    page.add(records, () => -Infinity);
    this.backlog = this.backlog?.filter((record) => !page.covers(record));
    this.overlap.add(records, newestMs);
    for (const record of records) this.line.push({ record, origin: "replay" });
    return new Promise((resolve) => {
      this.onLineEmpty = resolve;
      this.options.onWaiting();
    });
  }

  /** The history was told: what came meanwhile follows. */
  endReplay(end: ControlMessage): void {
    if (this.hasEnded) return;
    this.line.push(JSON.stringify(end));
    for (const record of this.backlog ?? []) this.line.push({ record, origin: undefined });
    this.backlog = undefined;
    this.options.onWaiting();
  }

  /** The next text to send; undefined where there is none. */
  next(): string | undefined {
    if (this.skipped > 0 && this.backlog === undefined) {
      const text = JSON.stringify({ type: "skipped", id: this.id, count: this.skipped } satisfies ControlMessage);
      this.skipped = 0;
      return text;
    }
    for (;;) {
      const waiting = this.nextInLine() ?? this.nextOfNewest();
      if (waiting === undefined || typeof waiting === "string") return waiting;
      const text = this.channel.textOf(waiting.record, waiting.origin);
      if (text !== undefined) return text;
    }
  }

  /** Whether the socket follows the topic, or each update is handed over. */
  setDirect(isDirect: boolean): void {
    this.isDirect = isDirect;
    this.channel.setDirect(this, isDirect);
  }

  /** Ends it: nothing waits any more. */
  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    if (this.isDirect) this.setDirect(false);
    this.options.channels.part(this.options.wanted, this);
    this.line = [];
    this.newest.clear();
    this.backlog = undefined;
    this.onLineEmpty?.();
  }

  private nextInLine(): WaitingRecord | string | undefined {
    const first = this.line[this.lineAt];
    if (first === undefined) return undefined;
    this.lineAt += 1;
    if (this.lineAt === this.line.length) {
      this.line = [];
      this.lineAt = 0;
      this.onLineEmpty?.();
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
    // a record that got more metrics, or that follows a snapshot, leaves nothing out
    if (waiting.origin === undefined && waiting.record.timeMs !== record.timeMs) this.skip(1);
    waiting.record = record;
    waiting.origin = undefined;
  }

  private skip(count: number): void {
    this.skipped += count;
    this.options.onSkipped(count);
  }
}
