import type { StoredRecord } from "../../domain/query.ts";
import type { LiveUpdate } from "./live-feed.ts";
import { MetricSelection, tailText, type UpdateOrigin } from "./metric-selection.ts";
import type { SubscriptionRequest } from "./subscription-request.ts";

/** Sends one text to all sockets that follow a topic; `receivers` is their number. */
export type Publish = (topic: string, text: string, receivers: number) => void;

/** A subscription, which receives updates while it is HELD. */
export interface UpdateReceiver {
  receive(update: LiveUpdate): void;
}

interface SharedTopicOptions {
  readonly request: SubscriptionRequest;
  readonly selection: MetricSelection;
  readonly name: string;
  readonly publish: Publish;
  /** Called when a record that has arrived is sent to a socket, or to several at once. */
  readonly onSent?: ((record: StoredRecord) => void) | undefined;
}

/** All subscriptions with the same request. An update is serialised once for all sockets that follow the topic.
 *
 *  A subscription is HELD (the topic passes each update to `receive`) or DIRECT (its socket follows the topic, which only
 *  counts the subscription). */
export class SharedTopic {
  readonly name: string;
  private readonly held = new Set<UpdateReceiver>();
  private directCount = 0;
  private readonly tail: string;
  private readonly unsubscribe: () => void;

  constructor(private readonly options: SharedTopicOptions) {
    const { request, name } = options;
    this.name = name;
    this.tail = tailText(request.clientId);
    this.unsubscribe = request.feed.subscribe(request.selector, (update) => this.distribute(update));
  }

  /** True if no subscription is left. */
  get isEmpty(): boolean {
    return this.held.size === 0 && this.directCount === 0;
  }

  /** Adds a subscription in the state HELD. */
  join(receiver: UpdateReceiver): void {
    this.held.add(receiver);
  }

  /** HELD -> DIRECT. */
  startDirect(receiver: UpdateReceiver): void {
    if (this.held.delete(receiver)) this.directCount += 1;
  }

  /** DIRECT -> HELD. */
  stopDirect(receiver: UpdateReceiver): void {
    if (this.held.has(receiver)) return;
    this.directCount -= 1;
    this.held.add(receiver);
  }

  /** Removes a subscription that is HELD. */
  leave(receiver: UpdateReceiver): void {
    this.held.delete(receiver);
  }

  close(): void {
    this.unsubscribe();
  }

  /** Call it when a record that has arrived is sent to the socket of a HELD subscription. */
  sent(record: StoredRecord): void {
    this.options.onSent?.(record);
  }

  /** The telemetry_update for a record; undefined if the record has none of the requested metrics. */
  textOf(record: StoredRecord, origin: UpdateOrigin | undefined): string | undefined {
    const text = this.options.selection.textOf(record);
    if (text === undefined) return undefined;
    return text + (origin === undefined ? this.tail : tailText(this.options.request.clientId, origin));
  }

  private distribute(update: LiveUpdate): void {
    const { selection, publish, onSent } = this.options;
    if (!selection.hasChanged(update)) return;
    const text = selection.textOf(update.record);
    if (text === undefined) return;
    if (this.directCount > 0) {
      publish(this.name, text + this.tail, this.directCount);
      onSent?.(update.record);
    }
    for (const receiver of this.held) receiver.receive(update);
  }
}

/** The topics that have at least one subscription. */
export class SharedTopics {
  private readonly topics = new Map<string, SharedTopic>();
  /** Each selection by its metrics, with the number of topics that use it. */
  private readonly selections = new Map<string, { readonly selection: MetricSelection; topics: number }>();
  private lastNumber = 0;

  constructor(private readonly options: Pick<SharedTopicOptions, "publish" | "onSent">) {}

  /** Adds a subscription in the state HELD to the topic for its request, and returns the topic. */
  join(request: SubscriptionRequest, receiver: UpdateReceiver): SharedTopic {
    let topic = this.topics.get(request.key);
    if (topic === undefined) {
      this.lastNumber += 1;
      const selection = this.useSelection(request.metrics);
      topic = new SharedTopic({ ...this.options, request, selection, name: `live ${this.lastNumber}` });
      this.topics.set(request.key, topic);
    }
    topic.join(receiver);
    return topic;
  }

  /** Removes a subscription that is HELD. Closes the topic if no subscription is left. */
  leave(request: SubscriptionRequest, receiver: UpdateReceiver): void {
    const topic = this.topics.get(request.key);
    topic?.leave(receiver);
    if (topic?.isEmpty !== true) return;
    topic.close();
    this.topics.delete(request.key);
    this.releaseSelection(request.metrics);
  }

  private useSelection(metrics: SubscriptionRequest["metrics"]): MetricSelection {
    const key = selectionKeyOf(metrics);
    const entry = this.selections.get(key) ?? { selection: new MetricSelection(metrics), topics: 0 };
    entry.topics += 1;
    this.selections.set(key, entry);
    return entry.selection;
  }

  private releaseSelection(metrics: SubscriptionRequest["metrics"]): void {
    const key = selectionKeyOf(metrics);
    const entry = this.selections.get(key);
    if (entry === undefined) return;
    entry.topics -= 1;
    if (entry.topics === 0) this.selections.delete(key);
  }
}

function selectionKeyOf(metrics: SubscriptionRequest["metrics"]): string {
  return metrics?.key ?? "";
}
