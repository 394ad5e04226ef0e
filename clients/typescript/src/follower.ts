import { SubscriptionRefused } from "./gateway-error.ts";
import type { ErrorMessage, SubscribeRequest } from "./generated/messages.ts";
import { LiveConnection, type ServerMessage } from "./live-connection.ts";
import type { LiveOptions } from "./live-options.ts";
import { ResumePoint } from "./resume-point.ts";

const retryMaxMs = 30_000;

type FollowerState =
  | { readonly name: "CONNECTING" | "FOLLOWING"; readonly connection: LiveConnection }
  | { readonly name: "WAITING"; readonly timer: ReturnType<typeof setTimeout> }
  | { readonly name: "ENDED" };

/** Keeps one subscription alive over successive connections.
 *
 *  CONNECTING  A connection has started, and the gateway has not confirmed the subscription yet.
 *  FOLLOWING   The gateway sends records.
 *  WAITING     The connection has ended or could not be opened. The next one starts after a wait.
 *  ENDED       Final.
 *
 *  CONNECTING -subscribed-> FOLLOWING
 *  CONNECTING -error-> ENDED: the gateway refuses the subscription
 *  CONNECTING, FOLLOWING -the connection ends-> WAITING -the wait is over-> CONNECTING
 *  any -close()-> ENDED
 *
 *  The first state is CONNECTING. Other messages do not change the state. */
export class Follower {
  readonly ended: Promise<void>;
  private readonly endedResolvers: PromiseWithResolvers<void>;
  private readonly resumePoint: ResumePoint;
  private nextWaitMs: number;
  private state: FollowerState;

  constructor(private readonly options: LiveOptions) {
    this.resumePoint = new ResumePoint(options.since);
    this.nextWaitMs = this.retryMs;
    this.endedResolvers = Promise.withResolvers();
    this.ended = this.endedResolvers.promise;
    // marks a rejection as handled, because callers may ignore `ended`
    this.ended.catch(() => undefined);
    this.state = { name: "CONNECTING", connection: this.connect() };
  }

  get stateName(): FollowerState["name"] {
    return this.state.name;
  }

  close(): void {
    if (this.state.name === "WAITING") clearTimeout(this.state.timer);
    if ("connection" in this.state) this.state.connection.close();
    this.state = { name: "ENDED" };
    this.endedResolvers.resolve();
  }

  private get retryMs(): number {
    return this.options.retryMs ?? 500;
  }

  private connect(): LiveConnection {
    const { baseUrl, silenceMs = 30_000, connect = (url) => new WebSocket(url) } = this.options;
    return new LiveConnection({
      socket: connect(`${baseUrl.replace(/^http/, "ws").replace(/\/$/, "")}/ws`),
      request: this.request(),
      silenceMs,
      onMessage: (message) => this.receive(message),
      onEnd: (reason) => this.wait(reason),
    });
  }

  private receive(message: ServerMessage): void {
    switch (message.type) {
      case "telemetry_update":
        if (this.resumePoint.record(message)) this.options.onUpdate(message);
        return;
      case "subscribed":
        this.follow();
        break;
      case "replayed":
        this.resumePoint.endReplay();
        break;
      case "error":
        if (this.state.name === "CONNECTING") return this.refuse(message);
        break;
      case "skipped":
        break;
      default: // pongs, and messages that this client does not know
        return;
    }
    this.options.onMessage?.(message);
  }

  /** CONNECTING -> FOLLOWING. */
  private follow(): void {
    if (this.state.name !== "CONNECTING") return;
    this.state = { name: "FOLLOWING", connection: this.state.connection };
    this.nextWaitMs = this.retryMs;
  }

  /** CONNECTING -> ENDED. */
  private refuse(message: ErrorMessage): void {
    this.endedResolvers.reject(new SubscriptionRefused(message.code, message));
    this.close();
    this.options.onMessage?.(message);
  }

  /** CONNECTING, FOLLOWING -> WAITING. */
  private wait(reason: string): void {
    // random, so that the clients of a gateway that has stopped do not all reconnect at the same moment
    const waitMs = this.nextWaitMs * (0.5 + Math.random() / 2);
    this.nextWaitMs = Math.min(retryMaxMs, this.nextWaitMs * 2);
    this.state = { name: "WAITING", timer: setTimeout(() => this.reconnect(), waitMs) };
    this.options.onBreak?.(reason, waitMs);
  }

  /** WAITING -> CONNECTING. */
  private reconnect(): void {
    this.state = { name: "CONNECTING", connection: this.connect() };
  }

  private request(): SubscribeRequest {
    const { filters } = this.options;
    const since = this.resumePoint.begin();
    return {
      type: "subscribe",
      topic: "telemetry",
      ...(filters === undefined ? {} : { filters }),
      ...(since === undefined ? {} : { since }),
    };
  }
}
