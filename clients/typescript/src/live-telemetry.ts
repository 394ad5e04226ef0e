import type {
  ErrorMessage,
  ReplayedMessage,
  SkippedMessage,
  SubscribedMessage,
  SubscribeRequest,
  TelemetryUpdateMessage,
} from "./generated/messages.ts";

/** What is told beside records: that a subscription stands, what was skipped or replayed, what was wrong. */
export type LiveMessage = SubscribedMessage | ReplayedMessage | SkippedMessage | ErrorMessage;

export interface LiveOptions {
  /** Where the gateway is, such as `http://localhost:8080`. */
  readonly baseUrl: string;
  /** Whose records, and which metrics; absent: all. */
  readonly filters?: SubscribeRequest["filters"];
  /** RFC 3339: records from then on come first. After a break the client asks for what came meanwhile by itself. */
  readonly since?: string;
  readonly onUpdate: (update: TelemetryUpdateMessage) => void;
  readonly onMessage?: (message: LiveMessage) => void;
  /** Told of each break, and when it will be tried again. */
  readonly onBreak?: (reason: string, retryInMs: number) => void;
  /** The first wait after a break, milliseconds; doubled up to 30 s. 500 unless told. */
  readonly retryMs?: number;
}

/** A subscription that lasts until it is closed, through breaks of the connection and restarts of gateways. */
export interface LiveTelemetry {
  close(): void;
}

const retryMaxMs = 30_000;

/** Follows newest records over /ws. When the connection breaks it connects again, and asks for the records since the
 *  newest one that it was told: of each GPU and instant one may then come twice, none is missed that the store has. */
export function liveTelemetry(options: LiveOptions): LiveTelemetry {
  const { baseUrl, retryMs = 500 } = options;
  const url = `${baseUrl.replace(/^http/, "ws").replace(/\/$/, "")}/ws`;
  const state = { since: options.since, waitMs: retryMs, isClosed: false };
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onText = (text: string): void => {
    const message = JSON.parse(text) as TelemetryUpdateMessage | LiveMessage;
    if (message.type !== "telemetry_update") return options.onMessage?.(message);
    if (state.since === undefined || Date.parse(message.timestamp) > Date.parse(state.since)) {
      state.since = message.timestamp;
    }
    options.onUpdate(message);
  };
  const connect = (): void => {
    socket = new WebSocket(url);
    socket.onopen = () => {
      state.waitMs = retryMs;
      socket?.send(JSON.stringify(requestOf(options, state.since)));
    };
    socket.onmessage = ({ data }) => onText(String(data));
    socket.onclose = ({ code, reason }) => {
      if (state.isClosed) return;
      // not all at once, when a gateway that many follow has gone
      const waitMs = state.waitMs * (0.5 + Math.random() / 2);
      state.waitMs = Math.min(retryMaxMs, state.waitMs * 2);
      options.onBreak?.(`${url} closed the connection: ${code}${reason === "" ? "" : ` ${reason}`}`, waitMs);
      timer = setTimeout(connect, waitMs);
    };
  };
  connect();
  return {
    close: () => {
      state.isClosed = true;
      clearTimeout(timer);
      socket?.close();
    },
  };
}

function requestOf({ filters }: LiveOptions, since: string | undefined): SubscribeRequest {
  return {
    type: "subscribe",
    topic: "telemetry",
    ...(filters === undefined ? {} : { filters }),
    ...(since === undefined ? {} : { since }),
  };
}
