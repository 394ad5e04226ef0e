import { type LiveOptions, type LiveTelemetry, liveTelemetry, type TelemetryUpdateMessage } from "gpu-telemetry-client";

/** A record, or the news that records may be missing. */
export type Sent = Pick<TelemetryUpdateMessage, "gpu_uuid" | "timestamp" | "data"> | "gap";

/** Longer than a gateway takes to answer a ping, and shorter than a gateway is frozen: a client then goes to another one. */
const silenceMs = 2000;
const retryMs = 200;

export interface SubscriberOptions {
  readonly name: string;
  /** The gateways, to which it connects in turn. */
  readonly urls: readonly string[];
  /** The gateway to which it connects first. */
  readonly first: number;
  readonly filters: LiveOptions["filters"] & {};
}

/** A client that remembers what it was sent, in this order. */
export class Subscriber {
  readonly sent: Sent[] = [];
  /** The connections that have ended, and the attempts to connect that have failed. */
  breaks = 0;
  private readonly live: LiveTelemetry;
  private connections: number;

  constructor(private readonly options: SubscriberOptions) {
    const { first, filters } = options;
    this.connections = first;
    this.live = liveTelemetry({
      ...{ baseUrl: "http://a-gateway", filters, silenceMs, retryMs },
      connect: () => new WebSocket(this.nextUrl()),
      onUpdate: (update) => void this.sent.push(update),
      onMessage: (message) => {
        const isGap = message.type === "skipped" || (message.type === "replayed" && message.truncated === true);
        if (isGap) this.sent.push("gap");
      },
      onBreak: () => void (this.breaks += 1),
    });
  }

  get name(): string {
    return this.options.name;
  }

  close(): void {
    this.live.close();
  }

  private nextUrl(): string {
    const { urls } = this.options;
    const url = urls[this.connections % urls.length] ?? "";
    this.connections += 1;
    return `${url.replace(/^http/, "ws")}/ws`;
  }
}
