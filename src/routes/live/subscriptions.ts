import type { Clock } from "../../kit/clock.ts";
import type { StoredRecord } from "../../domain/query.ts";
import type { Fleet, FleetMember } from "../fleet/fleet.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import { readInstant } from "../http/instant.ts";
import { type SharedTopics, keyOf, type SubscriptionRequest } from "./shared-topic.ts";
import { isWanted, type LiveFilter } from "./live-feed.ts";
import type { LiveInstruments } from "./live-instruments.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { LiveSocket } from "./live-socket.ts";
import type { ClientMessage } from "./messages.ts";
import type { MessageError, ReadMessage } from "./read-message.ts";
import { Replays } from "./replays.ts";
import { Subscription } from "./subscription.ts";
import { subscriptionRequestOf } from "./subscription-request.ts";

type Subscribe = Extract<ClientMessage, { type: "subscribe" }>;

interface SubscriptionsOptions {
  readonly channels: SharedTopics;
  readonly fleet: Fleet;
  readonly queries: Pick<TelemetryQueries, "records">;
  readonly settings: LiveSettings;
  readonly metrics: LiveInstruments;
  /** Told of records that a newer one stands in for. */
  readonly onSkipped: (count: number) => void;
  readonly clock: Clock;
}

/** Does what clients ask for. */
export class Subscriptions {
  private readonly replays: Replays;

  constructor(private readonly options: SubscriptionsOptions) {
    this.replays = new Replays({
      ...options,
      maxRecords: options.settings.wsReplayMaxRecords,
      newestMs: (uuid) =>
        (options.fleet.isLoaded ? options.fleet.member(uuid)?.record?.timeMs : undefined) ?? -Infinity,
    });
  }

  /** Answers a message. */
  take(socket: LiveSocket, read: ReadMessage): void {
    if ("fault" in read) {
      this.tellFault(socket, read.fault);
      return;
    }
    const { message } = read;
    if (message.type === "subscribe") this.subscribe(socket, message);
    else if (message.type === "unsubscribe") this.unsubscribe(socket, message.id);
    else socket.tell(message.id === undefined ? { type: "pong" } : { type: "pong", id: message.id });
  }

  private subscribe(socket: LiveSocket, message: Subscribe): void {
    const { filters = {}, since } = message;
    const wanted = subscriptionRequestOf(filters, message.id);
    const fault = this.obstacle(socket, wanted);
    if (fault !== undefined) {
      this.tellFault(socket, message.id === undefined ? fault : { ...fault, id: message.id });
      return;
    }
    const subscription = new Subscription({
      id: message.id ?? socket.newId(),
      wanted,
      channels: this.options.channels,
      onWaiting: () => socket.pump(),
      onSkipped: this.options.onSkipped,
    });
    const { id } = subscription;
    const there = this.newestRecords(wanted.filter);
    socket.tell({ type: "subscribed", id, topic: "telemetry", filters, gpus: there.length });
    if (since === undefined && message.snapshot !== false) subscription.addSnapshot(there);
    if (since !== undefined) this.replay(socket, subscription, { filter: wanted.filter, since });
    socket.add(subscription);
    socket.pump();
  }

  /** What keeps a subscription from being made. */
  private obstacle(socket: LiveSocket, wanted: SubscriptionRequest): MessageError | undefined {
    const { wsMaxSubscriptions } = this.options.settings;
    const { clientId } = wanted;
    if (clientId !== undefined && socket.subscription(clientId) !== undefined) {
      const message = `id=${JSON.stringify(clientId)} is taken; expected one that no subscription of this connection has`;
      return { code: "duplicate_id", message, details: { field: "id", value: clientId } };
    }
    const same = socket.subscriptions.find((subscription) => keyOf(subscription.wanted) === keyOf(wanted));
    if (same !== undefined) {
      const message = `The subscription ${JSON.stringify(same.id)} of this connection asks for the same; expected other filters, or an id of its own`;
      return { code: "duplicate_subscription", message, details: { id: same.id } };
    }
    if (socket.subscriptions.length >= wsMaxSubscriptions) {
      const message = `This connection has ${wsMaxSubscriptions} subscriptions, as many as WS_MAX_SUBSCRIPTIONS allows; expected an unsubscribe first, or gpu_uuids instead of a subscription a GPU`;
      return { code: "too_many_subscriptions", message, details: { expected: wsMaxSubscriptions } };
    }
    return undefined;
  }

  private unsubscribe(socket: LiveSocket, id: string | undefined): void {
    const named = id === undefined ? undefined : socket.subscription(id);
    if (id !== undefined && named === undefined) {
      const known = socket.subscriptions.map((subscription) => subscription.id);
      const message = `id=${JSON.stringify(id)} is no subscription of this connection; expected ${known.length === 0 ? "a subscribe first" : `one of ${known.join(", ")}`}`;
      this.tellFault(socket, { code: "unknown_subscription", message, details: { field: "id", value: id, known }, id });
      return;
    }
    for (const subscription of named === undefined ? socket.subscriptions : [named]) {
      socket.remove(subscription);
      socket.tell({ type: "unsubscribed", id: subscription.id });
    }
  }

  private replay(socket: LiveSocket, subscription: Subscription, asked: { filter: LiveFilter; since: string }): void {
    const read = readInstant(asked.since);
    if ("problem" in read) return;
    void this.replays.tell({
      subscription,
      filter: asked.filter,
      // records have whole milliseconds: an instant between two of them means the later one
      sinceMs: read.epochMs + (read.hasMore ? 1 : 0),
      onFault: (fault) => this.tellFault(socket, { ...fault, id: subscription.id }),
      onTooSlow: () => socket.end("slow", 1013, "the history was not read in time"),
    });
  }

  private newestRecords(filter: LiveFilter): StoredRecord[] {
    const { fleet } = this.options;
    if (!fleet.isLoaded) return [];
    const members: readonly (FleetMember | undefined)[] =
      filter.gpuUuids === undefined ? fleet.members() : filter.gpuUuids.map((uuid) => fleet.member(uuid));
    return members.flatMap((member) => {
      if (member?.record === undefined) return [];
      const { gpu, record } = member;
      return isWanted(filter, { gpu, record }) ? [record] : [];
    });
  }

  private tellFault(socket: LiveSocket, fault: MessageError): void {
    this.options.metrics.faults.inc({ code: fault.code });
    socket.tell({ type: "error", ...fault });
  }
}
