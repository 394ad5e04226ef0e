import { SubscriptionRefused } from "./gateway-error.ts";
import type {
  ErrorMessage,
  ReplayedMessage,
  SkippedMessage,
  SubscribedMessage,
  SubscribeRequest,
  TelemetryUpdateMessage,
} from "./generated/messages.ts";
import { LiveConnection, type ServerMessage } from "./live-connection.ts";
import { ResumePoint } from "./resume-point.ts";

/** What is told beside records: that a subscription stands, what was skipped or replayed, what was wrong. */
export type LiveMessage = SubscribedMessage | ReplayedMessage | SkippedMessage | ErrorMessage;

export interface LiveOptions {
  /** Where the gateway is, such as `http://localhost:8080`. */
  readonly baseUrl: string;
  /** Whose records, and which metrics; absent: all. */
  readonly filters?: SubscribeRequest["filters"];
  /** RFC 3339: records from then on come first. Absent: the last known values do. */
  readonly since?: string;
  readonly onUpdate: (update: TelemetryUpdateMessage) => void;
  readonly onMessage?: (message: LiveMessage) => void;
  /** Told of each break, and when it will be tried again. */
  readonly onBreak?: (reason: string, retryInMs: number) => void;
  /** The first wait after a break, milliseconds; doubled up to 30 s, until a subscription stands. 500 unless told. */
  readonly retryMs?: number;
  /** A connection that is silent for so long is given up, milliseconds; 30,000 unless told. */
  readonly silenceMs?: number;
  /** Instead of the runtime's own WebSocket. */
  readonly connect?: (url: string) => WebSocket;
}

/** A subscription that lasts until it is closed, through breaks of the connection and restarts of gateways. */
export interface LiveTelemetry {
  close(): void;
  /** Resolves when it is closed.
   *  @throws SubscriptionRefused where the gateway does not take what was asked for: that is not tried again */
  readonly ended: Promise<void>;
}

const retryMaxMs = 30_000;

/** Follows newest records over /ws. When the connection breaks it connects again, and asks for what came meanwhile: a
 *  GPU's newest record may then come twice, and none is missed that the gateway's history has. */
export function liveTelemetry(options: LiveOptions): LiveTelemetry {
  const following = new Following(options);
  following.connect();
  return { close: () => following.close(), ended: following.ended };
}

/** CONNECTING -- subscribed --> FOLLOWING: records are told
 *  CONNECTING -- error --> ENDED: what was asked for is wrong, and will be again
 *  CONNECTING, FOLLOWING -- closed, silent --> WAITING -- time over --> CONNECTING
 *  any -- close() --> ENDED */
class Following {
  readonly ended: Promise<void>;
  private readonly resumePoint: ResumePoint;
  private readonly end: PromiseWithResolvers<void>;
  private connection: LiveConnection | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waitMs: number;
  private isFollowing = false;

  constructor(private readonly options: LiveOptions) {
    this.resumePoint = new ResumePoint(options.since);
    this.waitMs = this.retryMs;
    this.end = Promise.withResolvers();
    this.ended = this.end.promise;
    // who does not look at it shall not be ended by it
    this.ended.catch(() => undefined);
  }

  connect(): void {
    const { baseUrl, silenceMs = 30_000, connect = (url) => new WebSocket(url) } = this.options;
    this.isFollowing = false;
    this.connection = new LiveConnection({
      socket: connect(`${baseUrl.replace(/^http/, "ws").replace(/\/$/, "")}/ws`),
      request: this.request(),
      silenceMs,
      onMessage: (message) => this.take(message),
      onEnd: (reason) => this.wait(reason),
    });
  }

  close(): void {
    clearTimeout(this.timer);
    this.connection?.close();
    this.end.resolve();
  }

  private get retryMs(): number {
    return this.options.retryMs ?? 500;
  }

  private take(message: ServerMessage): void {
    switch (message.type) {
      case "telemetry_update":
        if (this.resumePoint.take(message)) this.options.onUpdate(message);
        return;
      case "subscribed":
        this.isFollowing = true;
        this.waitMs = this.retryMs;
        break;
      case "replayed":
        this.resumePoint.endReplay();
        break;
      case "error":
        if (!this.isFollowing) return this.refuse(message);
        break;
      case "skipped":
        break;
      default: // signs of life, and what newer gateways may tell
        return;
    }
    this.options.onMessage?.(message);
  }

  private refuse(message: ErrorMessage): void {
    this.end.reject(new SubscriptionRefused(message.code, message));
    this.close();
    this.options.onMessage?.(message);
  }

  private wait(reason: string): void {
    // not all at once, when a gateway that many follow has gone
    const waitMs = this.waitMs * (0.5 + Math.random() / 2);
    this.waitMs = Math.min(retryMaxMs, this.waitMs * 2);
    this.timer = setTimeout(() => this.connect(), waitMs);
    this.options.onBreak?.(reason, waitMs);
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
