import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Clock } from "../../kit/clock.ts";
import { defined } from "../../kit/defined.ts";
import { isHandshake, offeredProtocols } from "../../kit/web-socket-handshake.ts";
import type { Caller } from "../../access/caller.ts";
import { type Requester, requesterOf } from "../http/access/requester.ts";
import { askedBy, Asker, presentAsker } from "../http/access/asker.ts";
import { ApiError } from "../http/api-error.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import { type LiveInstruments, liveInstruments, type LiveState } from "./live-instruments.ts";
import type { LiveSettings } from "./live-settings.ts";
import { type CloseReason, LiveSocket, type SocketOwner } from "./live-socket.ts";
import type { LiveView } from "./live-view.ts";
import { messageRules } from "./messages.ts";
import type { ReadMessage } from "./read-message.ts";
import type { SocketTraces } from "./socket-traces.ts";
import { SharedTopics } from "./shared-topic.ts";
import { Subscriptions } from "./subscriptions.ts";

export interface LiveOptions {
  /** Gives what a caller may see. */
  readonly viewFor: (caller: Caller) => LiveView;
  readonly settings: LiveSettings;
  /** Counts the clients' messages like requests; undefined: no limit. */
  readonly limit: RateLimit | undefined;
  /** Aborted when the process is about to stop. */
  readonly stopping: AbortSignal;
  /** Absent: no traces are made. */
  readonly socketTraces?: SocketTraces | undefined;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Client {
  readonly socket: LiveSocket;
  readonly requester: Requester;
}

/** The part of Bun's server that this module uses. */
interface SocketServer {
  upgrade(
    request: Request,
    options: { readonly data: LiveSocket; readonly headers: Readonly<Record<string, string>> },
  ): boolean;
  requestIP(request: Request): { readonly address: string } | null;
  publish(topic: string, text: string): unknown;
}

/** Without it, Bun would answer with the first text of the client's header. */
const noProtocol = { "sec-websocket-protocol": "" };

/** The pause between two periodic checks of all sockets. */
const checkEveryMs = 100;
/** To refuse a message takes as long as to handle one: a client that does not heed it is disconnected. */
const maxRefusedInARow = 100;
/** After this many published characters, all sockets are checked without waiting for the next periodic check. This many
 *  characters, together with the buffer of a socket that is not behind, are far below the limit above which Bun silently drops
 *  messages. */
const uncheckedLength = 256 * 1024;

/** Owns the connections to /ws: limits their number, checks which ones are behind, and closes all of them when the
 *  process is about to stop. */
export class LiveSockets implements SocketOwner {
  private readonly sockets = new Set<LiveSocket>();
  /** Who has opened each socket. */
  private readonly requesters = new WeakMap<LiveSocket, Requester>();
  private readonly askers = new WeakMap<LiveSocket, Asker>();
  /** Functions that count a socket no more. */
  private readonly releases = new WeakMap<LiveSocket, () => void>();
  private readonly refusedInARow = new WeakMap<LiveSocket, number>();
  /** Functions that remove a socket from its caller, which ends it. */
  private readonly departures = new WeakMap<LiveSocket, () => void>();
  private readonly instruments: LiveInstruments;
  private readonly subscriptions: Subscriptions;
  private server: SocketServer | undefined;
  private publishedLength = 0;
  private sent = 0;
  private skipped = 0;
  private isWatching = false;

  constructor(private readonly options: LiveOptions) {
    const { registry, stopping, socketTraces } = options;
    this.instruments = liveInstruments(registry, () => this.state());
    const topics = new SharedTopics({
      publish: (topic, text, receivers) => this.publish(topic, text, receivers),
      onSent: socketTraces && ((record) => socketTraces.sent(record)),
    });
    this.subscriptions = new Subscriptions({
      ...options,
      topics,
      instruments: this.instruments,
      onSkipped: (count) => (this.skipped += count),
      onFaultsUnread: (reason) => options.log.debug({ reason }, "changes of faults cannot be read, and follow later"),
    });
    stopping.addEventListener("abort", () => this.closeAll(), { once: true });
  }

  /** Upgrades a request to a WebSocket.
   *  @throws ApiError if the request is not a handshake, the gateway is stopping, or it has as many connections as
   *  WS_MAX_CONNECTIONS allows */
  upgrade(request: Request, server: SocketServer | null): void {
    const { wsMaxConnections } = this.options.settings;
    if (offeredProtocols(request.headers).length > 0) throw noSubprotocols();
    if (!request.headers.has("upgrade")) throw upgradeRequired();
    if (this.options.stopping.aborted) throw this.refusal("shutdown", "This gateway is stopping; connect again");
    if (this.sockets.size >= wsMaxConnections) {
      const message = `There are ${wsMaxConnections} connections already, as many as WS_MAX_CONNECTIONS allows`;
      throw this.refusal("connections", message);
    }
    if (!isHandshake(request.headers)) throw upgradeRequired();
    this.server = server ?? undefined;
    const socket = new LiveSocket(this);
    const requester = requesterOf(request);
    const asker = presentAsker()?.another() ?? new Asker(() => requester);
    this.requesters.set(socket, requester);
    this.askers.set(socket, asker);
    const release = asker.hold("sockets");
    this.releases.set(socket, release);
    if (server?.upgrade(request, { data: socket, headers: noProtocol }) === true) return;
    release();
    throw upgradeRequired();
  }

  onOpened(socket: LiveSocket): void {
    this.sockets.add(socket);
    const caller = this.requesters.get(socket)?.caller;
    const leave = caller?.onEnd(() => socket.end("key_ended", 1008, caller.endText));
    if (leave !== undefined) this.departures.set(socket, leave);
    if (!this.isWatching) void this.watch();
  }

  onClosed(socket: LiveSocket, reason: CloseReason): void {
    this.sockets.delete(socket);
    this.departures.get(socket)?.();
    this.askers.get(socket)?.leave();
    this.releases.get(socket)?.();
    this.instruments.closed.inc({ reason });
  }

  onSent(count: number): void {
    this.sent += count;
  }

  onMessage(socket: LiveSocket, read: ReadMessage): void {
    this.askers.get(socket)?.countRequest();
    const { limit } = this.options;
    const requester = this.requesters.get(socket);
    if (limit === undefined || requester === undefined) this.handle(socket, read);
    else void this.handleWithin(limit, { socket, requester }, read);
  }

  private async handleWithin(limit: RateLimit, { socket, requester }: Client, read: ReadMessage): Promise<void> {
    const refused = await limit.count(requester);
    if (socket.stateName === "CLOSED") return;
    if (refused === undefined) {
      this.refusedInARow.delete(socket);
      this.handle(socket, read);
      return;
    }
    const inARow = (this.refusedInARow.get(socket) ?? 0) + 1;
    this.refusedInARow.set(socket, inARow);
    if (inARow > maxRefusedInARow) socket.end("flood", 1013, "the client sends messages although they are refused");
    else this.subscriptions.refuse(socket, read, refused);
  }

  private handle(socket: LiveSocket, read: ReadMessage): void {
    const requester = this.requesters.get(socket);
    if (requester === undefined) return; // cannot happen: every socket was opened by a request
    const view = this.options.viewFor(requester.caller);
    if (view.key === "") this.answer(socket, this.checked(requester, read), view);
    else void this.answerWhenReady(socket, this.checked(requester, read), view);
  }

  /** Messages of a socket are answered in their order: all of them wait for the same view. */
  private async answerWhenReady(socket: LiveSocket, read: ReadMessage, view: LiveView): Promise<void> {
    await view.ready();
    if (socket.stateName !== "CLOSED") this.answer(socket, read, view);
  }

  private answer(socket: LiveSocket, read: ReadMessage, view: LiveView): void {
    try {
      const asker = this.askers.get(socket);
      const handle = (): void => this.subscriptions.handle(socket, read, view);
      if (asker === undefined) handle();
      else askedBy(asker, handle);
    } catch (error) {
      this.options.log.error({ err: error as Error }, "a message over /ws could not be handled");
      this.instruments.errors.inc({ code: "internal_error" });
      const message = "The message failed inside the server; its log says why";
      socket.send({ type: "error", code: "internal_error", message, details: {} });
    }
  }

  /** @returns an error instead of a message that the socket's caller may not send */
  private checked(requester: Requester, read: ReadMessage): ReadMessage {
    if (!("message" in read)) return read;
    const rule = messageRules[read.message.type];
    if (rule.scope === "any") return read;
    try {
      requester.require(rule, `/ws ${read.message.type}`, "");
      return read;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { error: { code: error.code, ...error.text, ...defined({ id: read.message.id }) } };
    }
  }

  private publish(topic: string, text: string, receivers: number): void {
    this.publishedLength += text.length;
    if (this.publishedLength > uncheckedLength) this.checkAll();
    this.server?.publish(topic, text);
    this.sent += receivers;
  }

  private checkAll(): void {
    this.publishedLength = 0;
    const nowMs = this.options.clock.nowMs();
    for (const socket of this.sockets) socket.check(nowMs, this.options.settings.wsStallTimeoutMs);
  }

  /** Checks the sockets periodically until the last one has closed. */
  private async watch(): Promise<void> {
    this.isWatching = true;
    while (this.sockets.size > 0) {
      await this.options.clock.sleep(checkEveryMs);
      this.checkAll();
    }
    this.isWatching = false;
  }

  /** 1012 means that the service restarts: the client should connect again, and may reach another gateway.
   *  Source: https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number */
  private closeAll(): void {
    for (const socket of this.sockets) socket.end("shutdown", 1012, "this gateway is stopping; connect again");
  }

  private state(): LiveState {
    const sockets = [...this.sockets];
    return {
      connections: sockets.length,
      subscriptions: sockets.reduce((sum, socket) => sum + socket.subscriptions.length, 0),
      behind: sockets.filter(({ stateName }) => stateName === "BEHIND").length,
      sent: this.sent,
      skipped: this.skipped,
    };
  }

  private refusal(reason: "connections" | "shutdown", message: string): ApiError {
    this.instruments.refused.inc({ reason });
    return new ApiError(503, "no_room", { message, details: { reason } });
  }
}

function upgradeRequired(): ApiError {
  const message = "/ws speaks WebSocket; connect with a WebSocket client, such as wscat -c ws://localhost:8080/ws";
  return new ApiError(426, "upgrade_required", { message, details: { upgrade: "websocket" } });
}

/** A client that offers subprotocols relies on one of them being chosen.
 *  Source: https://www.rfc-editor.org/rfc/rfc6455#section-4.1 */
function noSubprotocols(): ApiError {
  const message =
    "/ws has messages of its own, and no subprotocol: connect without Sec-WebSocket-Protocol; graphql-transport-ws is at /graphql";
  return new ApiError(400, "invalid_parameter", { message, details: { header: "sec-websocket-protocol" } });
}
