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
  /** RFC 3339: stored records from this instant on are sent first. By default, the newest record of each GPU is sent
   *  first. */
  readonly since?: string;
  readonly onUpdate: (update: TelemetryUpdateMessage) => void;
  readonly onMessage?: (message: LiveMessage) => void;
  /** Called when the connection breaks or an attempt to connect fails, with the milliseconds until the next attempt. */
  readonly onBreak?: (reason: string, retryInMs: number) => void;
  /** The longest first wait after a break, in milliseconds. It doubles with each failed attempt, up to 30 s; each actual wait is
   *  a random time between half of it and all of it. Default 500. */
  readonly retryMs?: number;
  /** A connection that is silent for this long, in milliseconds, is replaced. Default 30,000. */
  readonly silenceMs?: number;
  /** Opens a WebSocket; by default, the runtime's own. */
  readonly connect?: (url: string) => WebSocket;
}
