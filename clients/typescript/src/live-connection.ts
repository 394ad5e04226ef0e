import type {
  ErrorMessage,
  FaultChangeMessage,
  FaultsSubscribedMessage,
  FaultsUnsubscribedMessage,
  PingRequest,
  PongMessage,
  ReplayedMessage,
  SkippedMessage,
  SubscribedMessage,
  SubscribeFaultsRequest,
  SubscribeRequest,
  TelemetryUpdateMessage,
  UnsubscribedMessage,
} from "./generated/messages.ts";

/** Any message that a gateway sends over /ws. */
export type ServerMessage =
  | TelemetryUpdateMessage
  | SubscribedMessage
  | UnsubscribedMessage
  | ReplayedMessage
  | SkippedMessage
  | FaultsSubscribedMessage
  | FaultsUnsubscribedMessage
  | FaultChangeMessage
  | PongMessage
  | ErrorMessage;

export interface LiveConnectionOptions {
  readonly socket: WebSocket;
  /** Sent when the connection opens. */
  readonly request: SubscribeRequest | SubscribeFaultsRequest;
  /** If no message arrives for this long, the connection ends. Depending on when the last message arrived, it may end after
   *  half this time. */
  readonly silenceMs: number;
  readonly onMessage: (message: ServerMessage) => void;
  /** Called at most once, with the reason; not called after `close`. */
  readonly onEnd: (reason: string) => void;
}

/** One connection to /ws. A connection can be dead although neither side has closed it, and a WebSocket in a browser
 *  cannot send protocol pings. The client therefore requests a pong, and ends the connection if nothing arrives.
 *
 *  ALIVE   A message arrived since the last check, or the connection is new.
 *  PROBED  A pong was requested (if the socket was open), and nothing has arrived since.
 *  ENDED   Final.
 *
 *  ALIVE -check-> PROBED -message-> ALIVE
 *  PROBED -check-> ENDED: silent for too long
 *  ALIVE, PROBED -a message that is not a gateway's, or the socket closes-> ENDED
 *  any -close()-> ENDED, without onEnd */
export class LiveConnection {
  private state: "ALIVE" | "PROBED" | "ENDED" = "ALIVE";
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly options: LiveConnectionOptions) {
    const { socket, request } = options;
    socket.onopen = () => this.send(request);
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = ({ code, reason }) => {
      this.end(`${socket.url} closed the connection: ${code}${reason === "" ? "" : ` ${reason}`}`);
    };
    this.timer = setInterval(() => this.check(), options.silenceMs / 2);
  }

  get stateName(): LiveConnection["state"] {
    return this.state;
  }

  /** Ends the connection without calling `onEnd`. */
  close(): void {
    if (this.state === "ENDED") return;
    this.state = "ENDED";
    clearInterval(this.timer);
    const { socket } = this.options;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // closing a socket that is not open yet raises an error event
    socket.onerror = () => undefined;
    socket.close();
  }

  private receive(data: unknown): void {
    this.state = "ALIVE";
    const message = parsed(data);
    if (message === undefined) this.end(`${this.options.socket.url} is not a gateway: it sent ${String(data)}`);
    else this.options.onMessage(message);
  }

  private check(): void {
    const { socket, silenceMs } = this.options;
    if (this.state === "PROBED") return this.end(`${socket.url} was silent for ${silenceMs} ms`);
    this.state = "PROBED";
    if (socket.readyState === socket.OPEN) this.send({ type: "ping" });
  }

  private end(reason: string): void {
    if (this.state === "ENDED") return;
    this.close();
    this.options.onEnd(reason);
  }

  private send(message: SubscribeRequest | SubscribeFaultsRequest | PingRequest): void {
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
