import { selectorKey } from "../../domain/gpu-selector.ts";
import type { StoredRecord } from "../../domain/query.ts";
import type { LiveFeed, LiveFilter, LiveUpdate } from "./live-feed.ts";
import { MetricSelection, tailText, type UpdateOrigin } from "./metric-selection.ts";

/** What a subscription asks for. Those that ask for the same share a channel. */
export interface SubscriptionRequest {
  readonly filter: LiveFilter;
  /** Names in the catalogue's order; undefined: all. */
  readonly metrics: readonly string[] | undefined;
  /** What the client calls the subscription, where it is to be told with each update. */
  readonly clientId: string | undefined;
}

/** Sends one text to all sockets that follow a topic. */
export type Publish = (topic: string, text: string, receivers: number) => void;

/** Who takes updates by itself, one by one: its socket is behind, or has something else to send first. */
export interface UpdateHolder {
  hold(update: LiveUpdate): void;
}

interface ChannelOptions {
  readonly wanted: SubscriptionRequest;
  readonly selection: MetricSelection;
  readonly topic: string;
  readonly feed: LiveFeed;
  readonly publish: Publish;
}

/** Everybody who wants the same. An update becomes text once, and goes to all sockets that are not behind at once.
 *
 *  A subscription is HELD (it is handed each update) or DIRECT (its socket follows the topic, and nobody is asked). */
export class SharedTopic {
  readonly topic: string;
  private readonly held = new Set<UpdateHolder>();
  private readonly selection: MetricSelection;
  private readonly tail: string;
  private readonly leave: () => void;
  private direct = 0;

  constructor(private readonly options: ChannelOptions) {
    const { wanted, selection, topic, feed } = options;
    this.topic = topic;
    this.selection = selection;
    this.tail = tailText(wanted.clientId);
    this.leave = feed.subscribe(wanted.filter, (update) => this.tell(update));
  }

  get size(): number {
    return this.held.size + this.direct;
  }

  join(holder: UpdateHolder): void {
    this.held.add(holder);
  }

  /** From held to direct, the socket following the topic from now on; or back. */
  setDirect(holder: UpdateHolder, isDirect: boolean): void {
    if (isDirect && this.held.delete(holder)) this.direct += 1;
    if (!isDirect && !this.held.has(holder)) {
      this.direct -= 1;
      this.held.add(holder);
    }
  }

  /** @param holder is held */
  part(holder: UpdateHolder): void {
    this.held.delete(holder);
  }

  close(): void {
    this.leave();
  }

  /** @returns undefined where the record has nothing of what is wanted */
  textOf(record: StoredRecord, origin: UpdateOrigin | undefined): string | undefined {
    const text = this.selection.textOf(record);
    if (text === undefined) return undefined;
    return text + (origin === undefined ? this.tail : tailText(this.options.wanted.clientId, origin));
  }

  private tell(update: LiveUpdate): void {
    if (!this.selection.isNews(update)) return;
    const text = this.selection.textOf(update.record);
    if (text === undefined) return;
    if (this.direct > 0) this.options.publish(this.topic, text + this.tail, this.direct);
    for (const holder of this.held) holder.hold(update);
  }
}

/** The channels that somebody is in. */
export class SharedTopics {
  private readonly channels = new Map<string, SharedTopic>();
  /** With how many channels use each. */
  private readonly selections = new Map<string, { readonly selection: MetricSelection; channels: number }>();
  private made = 0;

  constructor(private readonly options: Pick<ChannelOptions, "feed" | "publish">) {}

  /** The channel for what is wanted, with the holder in it. */
  join(wanted: SubscriptionRequest, holder: UpdateHolder): SharedTopic {
    const key = keyOf(wanted);
    let channel = this.channels.get(key);
    if (channel === undefined) {
      this.made += 1;
      const selection = this.takeSelection(wanted.metrics);
      channel = new SharedTopic({ ...this.options, wanted, selection, topic: `live ${this.made}` });
      this.channels.set(key, channel);
    }
    channel.join(holder);
    return channel;
  }

  /** @param holder is held */
  part(wanted: SubscriptionRequest, holder: UpdateHolder): void {
    const key = keyOf(wanted);
    const channel = this.channels.get(key);
    channel?.part(holder);
    if (channel?.size !== 0) return;
    channel.close();
    this.channels.delete(key);
    this.dropSelection(wanted.metrics);
  }

  private takeSelection(metrics: SubscriptionRequest["metrics"]): MetricSelection {
    const key = selectionKeyOf(metrics);
    const there = this.selections.get(key) ?? { selection: new MetricSelection(metrics), channels: 0 };
    there.channels += 1;
    this.selections.set(key, there);
    return there.selection;
  }

  private dropSelection(metrics: SubscriptionRequest["metrics"]): void {
    const key = selectionKeyOf(metrics);
    const there = this.selections.get(key);
    if (there === undefined) return;
    there.channels -= 1;
    if (there.channels === 0) this.selections.delete(key);
  }
}

function selectionKeyOf(metrics: SubscriptionRequest["metrics"]): string {
  return metrics?.join() ?? "";
}

/** The same text for all who want the same. */
export function keyOf({ filter: { gpuUuids, ...place }, metrics, clientId }: SubscriptionRequest): string {
  return JSON.stringify([selectorKey({ ...place, ...(gpuUuids && { uuids: gpuUuids }) }), metrics, clientId]);
}
