import type { FaultChangeMessage, SubscribeFaultsRequest } from "./generated/messages.ts";
import { SubscriptionRefused } from "./gateway-error.ts";
import { LiveConnection, type ServerMessage } from "./live-connection.ts";
import type { LiveOptions } from "./live-options.ts";
import type { LiveTelemetry } from "./live-telemetry.ts";

export interface LiveFaultsOptions extends Pick<
  LiveOptions,
  "baseUrl" | "onBreak" | "retryMs" | "silenceMs" | "connect"
> {
  /** The faults whose changes are followed; all by default. */
  readonly filters?: SubscribeFaultsRequest["filters"];
  /** The last sequence that is known: the changes after it are sent first. By default, only later changes are sent. */
  readonly since?: number;
  readonly onChange: (change: FaultChangeMessage) => void;
}

const retryMaxMs = 30_000;

/** Follows the changes of faults over /ws. When the connection breaks, the client reconnects and continues after the last change: each
 *  change arrives once.
 *  @throws SyntaxError if baseUrl is not a usable URL */
export function liveFaults(options: LiveFaultsOptions): LiveTelemetry {
  const follower = new FaultFollower(options);
  return { close: () => follower.close(), ended: follower.ended };
}

/** Keeps following over successive connections. */
class FaultFollower {
  readonly ended: Promise<void>;
  private readonly endedResolvers = Promise.withResolvers<void>();
  private sequence: number | undefined;
  private nextWaitMs: number;
  private isConfirmed = false;
  /** Ends the present connection, or the wait for the next one. */
  private stop: () => void = () => undefined;

  constructor(private readonly options: LiveFaultsOptions) {
    this.sequence = options.since;
    this.nextWaitMs = this.retryMs;
    this.ended = this.endedResolvers.promise;
    // marks a rejection as handled, because callers may ignore `ended`
    this.ended.catch(() => undefined);
    this.connect();
  }

  close(): void {
    this.stop();
    this.endedResolvers.resolve();
  }

  private get retryMs(): number {
    return this.options.retryMs ?? 500;
  }

  private connect(): void {
    const { baseUrl, filters, silenceMs = 30_000, connect = (url) => new WebSocket(url) } = this.options;
    this.isConfirmed = false;
    const connection = new LiveConnection({
      socket: connect(`${baseUrl.replace(/^http/, "ws").replace(/\/$/, "")}/ws`),
      request: {
        type: "subscribe_faults",
        ...(filters === undefined ? {} : { filters }),
        ...(this.sequence === undefined ? {} : { since: this.sequence }),
      },
      silenceMs,
      onMessage: (message) => this.receive(message),
      onEnd: (reason) => this.wait(reason),
    });
    this.stop = () => connection.close();
  }

  private receive(message: ServerMessage): void {
    if (message.type === "faults_subscribed") {
      this.isConfirmed = true;
      this.nextWaitMs = this.retryMs;
      this.sequence ??= message.sequence;
    } else if (message.type === "fault_change") {
      this.sequence = message.sequence;
      this.options.onChange(message);
    } else if (message.type === "error" && !this.isConfirmed) {
      this.stop();
      this.endedResolvers.reject(new SubscriptionRefused(message.code, message));
    }
  }

  private wait(reason: string): void {
    // random, so that the clients of a gateway that has stopped do not all reconnect at the same moment
    const waitMs = this.nextWaitMs * (0.5 + Math.random() / 2);
    this.nextWaitMs = Math.min(retryMaxMs, this.nextWaitMs * 2);
    const timer = setTimeout(() => this.connect(), waitMs);
    this.stop = () => clearTimeout(timer);
    this.options.onBreak?.(reason, waitMs);
  }
}
