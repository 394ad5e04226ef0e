import type {
  ErrorMessage,
  ReplayedMessage,
  SkippedMessage,
  SubscribedMessage,
  SubscribeRequest,
  TelemetryUpdateMessage,
} from "./generated/messages.ts";

/** A message other than a record: a subscription began, records were skipped, a replay ended, or an error occurred. */
export type LiveMessage = SubscribedMessage | ReplayedMessage | SkippedMessage | ErrorMessage;

export interface LiveOptions {
  /** The gateway's URL, such as `http://localhost:8080`. */
  readonly baseUrl: string;
  /** The GPUs and the metrics to follow; all by default. */
  readonly filters?: SubscribeRequest["filters"];
  /** An instant in RFC 3339: the stored records since then are sent first. By default, the newest record of each GPU is
   *  sent first. */
  readonly since?: string;
  readonly onUpdate: (update: TelemetryUpdateMessage) => void;
  readonly onMessage?: (message: LiveMessage) => void;
  /** Called when the connection breaks or an attempt to connect fails, with the milliseconds until the next attempt. */
  readonly onBreak?: (reason: string, retryInMs: number) => void;
  /** The limit of the first wait after a break, in milliseconds; 500 by default. Each failed attempt doubles the limit, up to
   *  30 s. A wait is a random time between half the limit and the limit. */
  readonly retryMs?: number;
  /** The client replaces a connection that is silent for this long, in milliseconds; 30,000 by default. Depending on when the
   *  last message arrived, the client may replace the connection after half this time. */
  readonly silenceMs?: number;
  /** Opens a WebSocket; by default, the runtime's own. */
  readonly connect?: (url: string) => WebSocket;
}
