import type {
  ErrorMessage,
  PingRequest,
  PongMessage,
  ReplayedMessage,
  SkippedMessage,
  SubscribedMessage,
  SubscribeRequest,
  TelemetryUpdateMessage,
  UnsubscribedMessage,
} from "./generated/messages.ts";

/** What a gateway sends over /ws. */
export type ServerMessage =
  | TelemetryUpdateMessage
  | SubscribedMessage
  | UnsubscribedMessage
  | ReplayedMessage
  | SkippedMessage
  | PongMessage
  | ErrorMessage;

export interface LiveConnectionOptions {
  readonly socket: WebSocket;
  /** Sent when the connection stands. */
  readonly request: SubscribeRequest;
  readonly silenceMs: number;
  readonly onMessage: (message: ServerMessage) => void;
  /** Called once, with why; not after `close`. */
  readonly onEnd: (reason: string) => void;
}

/** One connection to /ws, until it ends. A connection can be dead without anybody having closed it, and WebSocket has no
 *  ping that a page could send: so the gateway is asked for a sign of life, and a connection that stays silent is given up. */
export class LiveConnection {
  private readonly timer: ReturnType<typeof setInterval>;
  private hasSpoken = true;
  private isOver = false;

  constructor(private readonly options: LiveConnectionOptions) {
    const { socket, request } = options;
    socket.onopen = () => this.send(request);
    socket.onmessage = ({ data }) => this.take(data);
    socket.onclose = ({ code, reason }) => {
      this.end(`${socket.url} closed the connection: ${code}${reason === "" ? "" : ` ${reason}`}`);
    };
    this.timer = setInterval(() => this.askForSign(), options.silenceMs / 2);
  }

  /** Ends it without a word. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearInterval(this.timer);
    const { socket } = this.options;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // a socket that is being closed before it stands says so
    socket.onerror = () => undefined;
    socket.close();
  }

  private take(data: unknown): void {
    this.hasSpoken = true;
    const message = parsed(data);
    if (message === undefined) this.end(`${this.options.socket.url} is not a gateway: it sent ${String(data)}`);
    else this.options.onMessage(message);
  }

  private askForSign(): void {
    const { socket, silenceMs } = this.options;
    if (!this.hasSpoken) return this.end(`${socket.url} was silent for ${silenceMs} ms`);
    this.hasSpoken = false;
    if (socket.readyState === socket.OPEN) this.send({ type: "ping" });
  }

  private end(reason: string): void {
    if (this.isOver) return;
    this.close();
    this.options.onEnd(reason);
  }

  private send(message: SubscribeRequest | PingRequest): void {
    this.options.socket.send(JSON.stringify(message));
  }
}

function parsed(data: unknown): ServerMessage | undefined {
  try {
    const message = JSON.parse(String(data)) as ServerMessage | null;
    return typeof message?.type === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}
