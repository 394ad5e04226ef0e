import { type GpuSelector, selectsGpu } from "../../domain/gpu-selector.ts";
import type { ChangeFilter } from "../../faults/stored-fault.ts";
import type { StoredRecord } from "../../domain/query.ts";
import type { Clock } from "../../kit/clock.ts";
import { defined } from "../../kit/defined.ts";
import { visibleLines } from "../../domain/visible-text.ts";
import type { FleetMember } from "../fleet/fleet.ts";
import { firstMsOf } from "../../domain/timestamp.ts";
import { readTime } from "../http/parameters/relative-time.ts";
import { presentAsker } from "../http/access/asker.ts";
import { ApiError } from "../http/api-error.ts";
import type { FaultFilters } from "./fault-filters.ts";
import { FaultFollowers } from "./fault-followers.ts";
import type { LiveInstruments } from "./live-instruments.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { LiveSocket } from "./live-socket.ts";
import type { ClientMessage } from "./messages.ts";
import type { MessageError, ReadMessage } from "./read-message.ts";
import type { LiveView } from "./live-view.ts";
import { type Replay, Replays } from "./replays.ts";
import type { SharedTopics } from "./shared-topic.ts";
import { type SubscriptionRequest, subscriptionRequestOf } from "./subscription-request.ts";
import { Subscription } from "./subscription.ts";

type Subscribe = Extract<ClientMessage, { type: "subscribe" }>;
type SubscribeFaults = Extract<ClientMessage, { type: "subscribe_faults" }>;

interface SubscriptionsOptions {
  readonly topics: SharedTopics;
  readonly settings: LiveSettings;
  readonly instruments: LiveInstruments;
  /** Called with the number of records that will not be sent: newer ones superseded them, or the backlog was full. */
  readonly onSkipped: (count: number) => void;
  readonly clock: Clock;
  /** Called when the store does not answer a question for changes of faults. */
  readonly onFaultsUnread: (reason: string) => void;
}

/** Handles the messages of clients: subscribes, unsubscribes, answers pings. */
export class Subscriptions {
  private readonly replays: Replays;
  private readonly faults: FaultFollowers;

  constructor(private readonly options: SubscriptionsOptions) {
    const { settings } = options;
    this.faults = new FaultFollowers(options);
    this.replays = new Replays({ ...options, maxRecords: settings.wsReplayMaxRecords });
  }

  /** Answers a message, or sends the error of a message that could not be read.
   *  @param view what the client may see */
  handle(socket: LiveSocket, read: ReadMessage, view: LiveView): void {
    if ("error" in read) {
      this.sendError(socket, read.error);
      return;
    }
    const { message } = read;
    if (message.type === "subscribe") this.subscribe(socket, message, view);
    else if (message.type === "unsubscribe") this.unsubscribe(socket, message.id);
    else if (message.type === "subscribe_faults") this.followFaults(socket, message, view);
    else if (message.type === "unsubscribe_faults") this.unfollowFaults(socket);
    else socket.send(message.id === undefined ? { type: "pong" } : { type: "pong", id: message.id });
  }

  /** Answers a message with an error instead of what it asks for. */
  refuse(socket: LiveSocket, read: ReadMessage, { code, text }: ApiError): void {
    const id = "error" in read ? read.error.id : read.message.id;
    this.sendError(socket, { code, message: text.message, details: text.details, ...defined({ id }) });
  }

  private subscribe(socket: LiveSocket, message: Subscribe, view: LiveView): void {
    const { filters = {}, since } = message;
    const request = subscriptionRequestOf(filters, message.id, view);
    const error = this.refusalOf(socket, request);
    if (error !== undefined) {
      this.sendError(socket, message.id === undefined ? error : { ...error, id: message.id });
      return;
    }
    const onEnd = this.held(socket, message);
    if (onEnd === undefined) return;
    const subscription = new Subscription({
      id: message.id ?? socket.newId(),
      request,
      topics: this.options.topics,
      onWaiting: () => socket.pump(),
      onSkipped: this.options.onSkipped,
      onEnd,
    });
    const { id } = subscription;
    const snapshot = newestRecords(view, request.selector);
    socket.send({ type: "subscribed", id, topic: "telemetry", filters, gpus: snapshot.length });
    if (since !== undefined) this.replay(socket, { subscription, view }, since);
    else if (message.snapshot !== false) subscription.addSnapshot(snapshot);
    socket.add(subscription);
    socket.pump();
  }

  /** Counts a subscription of the client.
   *  @returns a function to call at its end; undefined if the client has as many as it may have, and has been told */
  private held(socket: LiveSocket, { id }: Subscribe): (() => void) | undefined {
    try {
      return presentAsker()?.hold("subscriptions") ?? (() => undefined);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.sendError(socket, { code: error.code, ...error.text, ...defined({ id }) });
      return undefined;
    }
  }

  /** @returns the reason for the refusal; undefined if the subscription is accepted */
  private refusalOf(socket: LiveSocket, { clientId, key }: SubscriptionRequest): MessageError | undefined {
    const { wsMaxSubscriptions } = this.options.settings;
    if (clientId !== undefined && socket.subscription(clientId) !== undefined) {
      const message = `id=${JSON.stringify(clientId)} is already used; expected an id that no subscription of this connection has`;
      return { code: "duplicate_id", message, details: { field: "id", value: clientId } };
    }
    const same = socket.subscriptions.find(({ request }) => request.key === key);
    if (same !== undefined) {
      const message = `The subscription ${JSON.stringify(same.id)} of this connection has the same filters; expected other filters, or an id`;
      return { code: "duplicate_subscription", message, details: { id: same.id } };
    }
    if (socket.subscriptions.length >= wsMaxSubscriptions) {
      const message = `This connection has ${wsMaxSubscriptions} subscriptions, as many as WS_MAX_SUBSCRIPTIONS allows; unsubscribe first, or use one subscription that names several GPUs in gpu_uuids`;
      return { code: "too_many_subscriptions", message, details: { expected: wsMaxSubscriptions } };
    }
    return undefined;
  }

  private followFaults(socket: LiveSocket, message: SubscribeFaults, view: LiveView): void {
    const { id, since, filters = {} } = message;
    const isNew = this.faults.follow(socket, view, { ...defined({ id, since }), filter: changeFilterOf(filters) });
    if (isNew && since !== undefined) socket.send({ type: "faults_subscribed", sequence: since, ...defined({ id }) });
    if (isNew) return;
    const text = "This connection follows faults already; expected unsubscribe_faults first";
    this.sendError(socket, { code: "duplicate_subscription", message: text, details: {}, ...defined({ id }) });
  }

  private unfollowFaults(socket: LiveSocket): void {
    const ended = this.faults.unfollow(socket);
    if (ended !== false) return socket.send({ type: "faults_unsubscribed", ...defined(ended) });
    const message = "This connection does not follow faults; expected subscribe_faults first";
    this.sendError(socket, { code: "unknown_subscription", message, details: {} });
  }

  private unsubscribe(socket: LiveSocket, id: string | undefined): void {
    const named = id === undefined ? undefined : socket.subscription(id);
    if (id !== undefined && named === undefined) {
      const ids = socket.subscriptions.map((subscription) => subscription.id);
      const expected =
        ids.length === 0
          ? "no unsubscribe message, because the connection has no subscription"
          : `one of ${ids.join(", ")}`;
      const message = `No subscription of this connection has id=${JSON.stringify(id)}; expected ${expected}`;
      this.sendError(socket, {
        code: "unknown_subscription",
        message,
        details: { field: "id", value: id, known: ids },
        id,
      });
      return;
    }
    for (const subscription of named === undefined ? socket.subscriptions : [named]) {
      socket.remove(subscription);
      socket.send({ type: "unsubscribed", id: subscription.id });
    }
  }

  private replay(
    socket: LiveSocket,
    { subscription, view }: Pick<Replay, "subscription" | "view">,
    since: string,
  ): void {
    const read = readTime(since);
    if ("problem" in read) return; // cannot happen: `readMessage` has checked the text
    void this.replays.run({
      subscription,
      view,
      // records have whole milliseconds, so an instant between two milliseconds is rounded up
      sinceMs: firstMsOf(read),
      onError: (error) => this.sendError(socket, { ...error, id: subscription.id }),
      onTooSlow: () => socket.end("slow", 1013, "the history was not read in time"),
    });
  }

  private sendError(socket: LiveSocket, error: MessageError): void {
    this.options.instruments.errors.inc({ code: error.code });
    socket.send({ type: "error", ...error, message: visibleLines(error.message) });
  }
}

/** `cluster` and `cluster_id` mean the same; if a message has both, `readMessage` has checked that they have the same value. */
function changeFilterOf({ cluster, cluster_id: clusterId = cluster, ...others }: FaultFilters): ChangeFilter {
  const { state: states, severity: severities, name, hostname, gpu_uuid: uuid, namespace, job } = others;
  return defined({ states, severities, name, clusterId, hostname, uuid, namespace, job });
}

function newestRecords({ fleet }: LiveView, { uuids, ...others }: GpuSelector): StoredRecord[] {
  if (!fleet.isLoaded) return [];
  const members: readonly (FleetMember | undefined)[] =
    uuids === undefined ? fleet.members() : uuids.map((uuid) => fleet.member(uuid));
  return members.flatMap((member) => {
    if (member?.record === undefined) return [];
    const { gpu, record } = member;
    return selectsGpu(others, gpu, record.occupants) ? [record] : [];
  });
}
