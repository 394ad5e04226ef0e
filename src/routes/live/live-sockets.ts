import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Clock } from "../../kit/clock.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import { ApiError } from "../http/api-error.ts";
import { SharedTopics } from "./shared-topic.ts";
import type { LiveFeed } from "./live-feed.ts";
import { liveInstruments } from "./live-instruments.ts";
import type { LiveSettings } from "./live-settings.ts";
import { type CloseReason, LiveSocket, type SocketKeeper } from "./live-socket.ts";
import type { ReadMessage } from "./read-message.ts";
import { Subscriptions } from "./subscriptions.ts";

export interface LiveOptions {
  readonly feed: LiveFeed;
  readonly fleet: Fleet;
  readonly queries: Pick<TelemetryQueries, "records">;
  readonly settings: LiveSettings;
  /** Aborted when the process is going to stop. */
  readonly stopping: AbortSignal;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is used of Bun's server. */
interface SocketServer {
  upgrade(request: Request, options: { readonly data: LiveSocket }): boolean;
  publish(topic: string, text: string): unknown;
}

/** Sockets are looked at this often. */
const checkEveryMs = 100;
/** Characters published between two looks at the sockets: with what Bun holds for one that is not behind, far below
 *  the limit beyond which it drops messages without a word. */
const uncheckedLength = 256 * 1024;

/** The connections to /ws: how many there may be, who of them is behind, and their end when the process stops. */
export class LiveSockets implements SocketKeeper {
  private readonly sockets = new Set<LiveSocket>();
  private readonly metrics;
  private readonly subscriptions: Subscriptions;
  private server: SocketServer | undefined;
  private published = 0;
  private sent = 0;
  private skipped = 0;
  private isWatching = false;

  constructor(private readonly options: LiveOptions) {
    const { registry, stopping } = options;
    this.metrics = liveInstruments(registry, () => this.state());
    const channels = new SharedTopics({
      feed: options.feed,
      publish: (topic, text, receivers) => this.publish(topic, text, receivers),
    });
    this.subscriptions = new Subscriptions({
      ...options,
      channels,
      metrics: this.metrics,
      onSkipped: (count) => (this.skipped += count),
    });
    stopping.addEventListener("abort", () => this.closeAll(), { once: true });
  }

  /** Makes a WebSocket of a request.
   *  @throws ApiError where it is none, or there is no room for it */
  upgrade(request: Request, server: SocketServer | null): void {
    const { wsMaxConnections } = this.options.settings;
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") throw upgradeRequired();
    if (this.options.stopping.aborted) throw this.refusal("shutdown", "This gateway is stopping; connect again");
    if (this.sockets.size >= wsMaxConnections) {
      const message = `There are ${wsMaxConnections} connections already, as many as WS_MAX_CONNECTIONS allows`;
      throw this.refusal("connections", message);
    }
    this.server = server ?? undefined;
    if (server?.upgrade(request, { data: new LiveSocket(this) }) !== true) throw upgradeRequired();
  }

  onOpened(socket: LiveSocket): void {
    this.sockets.add(socket);
    if (!this.isWatching) void this.watch();
  }

  onClosed(socket: LiveSocket, reason: CloseReason): void {
    this.sockets.delete(socket);
    this.metrics.closed.inc({ reason });
  }

  onSent(count: number): void {
    this.sent += count;
  }

  onMessage(socket: LiveSocket, read: ReadMessage): void {
    try {
      this.subscriptions.take(socket, read);
    } catch (error) {
      this.options.log.error({ err: error as Error }, "a message over /ws could not be handled");
      const message = "The message failed inside the server; its log says why";
      socket.tell({ type: "error", code: "internal_error", message, details: {} });
    }
  }

  private publish(topic: string, text: string, receivers: number): void {
    this.published += text.length;
    if (this.published > uncheckedLength) this.checkAll();
    this.server?.publish(topic, text);
    this.sent += receivers;
  }

  private checkAll(): void {
    this.published = 0;
    const nowMs = this.options.clock.nowMs();
    for (const socket of this.sockets) socket.check(nowMs, this.options.settings.wsStallTimeoutMs);
  }

  /** Looks at the sockets again and again, while there are any. */
  private async watch(): Promise<void> {
    this.isWatching = true;
    while (this.sockets.size > 0) {
      await this.options.clock.sleep(checkEveryMs);
      this.checkAll();
    }
    this.isWatching = false;
  }

  /** 1012: the service restarts, and the client does well to connect again, wherever it gets to.
   *  Source: https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number */
  private closeAll(): void {
    for (const socket of this.sockets) socket.end("shutdown", 1012, "this gateway is stopping; connect again");
  }

  private state() {
    const sockets = [...this.sockets];
    return {
      connections: sockets.length,
      subscriptions: sockets.reduce((sum, socket) => sum + socket.subscriptions.length, 0),
      behind: sockets.filter((socket) => socket.isBehind).length,
      sent: this.sent,
      skipped: this.skipped,
    };
  }

  private refusal(reason: "connections" | "shutdown", message: string): ApiError {
    this.metrics.refused.inc({ reason });
    return new ApiError(503, "no_room", { message, details: { reason } });
  }
}

function upgradeRequired(): ApiError {
  const message = "/ws speaks WebSocket; connect with a WebSocket client, such as wscat -c ws://localhost:8080/ws";
  return new ApiError(426, "upgrade_required", { message, details: { upgrade: "websocket" } });
}
