import type { ServerWebSocket } from "bun";
import type { Clock } from "../../kit/clock.ts";
import { isWorthDeflating } from "../../kit/message-deflate.ts";

/** Above this many bytes that wait for one side, the relay ends: a client that reads nothing, or a gateway that does not read. */
const waitingMaxBytes = 4 * 1024 * 1024;
/** A gateway that does not confirm the close of its side in this time is disconnected. */
const closeTimeoutMs = 5000;
const serviceRestart = 1012;
const tryAgainLater = 1013;

/** Passes the messages of a client's WebSocket to a gateway and back, with their close codes.
 *
 *  OPENING (the gateway has accepted, the client's side is being upgraded) -open-> OPEN -either side closes-> CLOSED
 *  OPENING -the gateway closes-> CLOSING -open-> CLOSED; OPEN -too much waits-> CLOSED */
export class SocketRelay {
  private client: ServerWebSocket<SocketRelay> | undefined;
  /** Messages and the close of the gateway that came before the client's side was open. */
  private early: ((client: ServerWebSocket<SocketRelay>) => void)[] = [];

  /** @param upstream the open connection to the gateway
   *  @param onEnd called once, when either side has closed */
  constructor(
    private readonly upstream: WebSocket,
    private readonly onEnd: () => void,
    private readonly clock: Clock,
  ) {
    upstream.binaryType = "nodebuffer";
    upstream.onmessage = ({ data }) => this.toClient((client) => this.pass(client, data as string | Buffer));
    upstream.onclose = ({ code, reason }) => {
      onEnd();
      this.toClient((client) => closeClient(client, code, reason));
    };
  }

  open(client: ServerWebSocket<SocketRelay>): void {
    this.client = client;
    for (const step of this.early.splice(0)) step(client);
  }

  message(data: string | Buffer): void {
    if (this.upstream.readyState !== WebSocket.OPEN) return;
    this.upstream.send(data);
    if (this.upstream.bufferedAmount > waitingMaxBytes) this.end(tryAgainLater, "the gateway does not read");
  }

  /** The client has closed, or its connection is broken. */
  closed(code: number, reason: string): void {
    this.onEnd();
    this.upstream.onmessage = this.upstream.onclose = null;
    if (isSendable(code)) this.upstream.close(code, reason);
    else this.upstream.close();
    void this.clock.sleep(closeTimeoutMs).then(() => this.upstream.terminate());
  }

  /** Asks the client to connect again, because the gateway has not answered for long. */
  gatewayIsSilent(): void {
    this.end(serviceRestart, "the gateway does not answer; connect again");
  }

  /** Asks the client to connect again, because the balancer stops. */
  restart(): void {
    this.end(serviceRestart, "the balancer is stopping; connect again");
  }

  /** Gives up: the client's side was not upgraded. */
  abandon(): void {
    this.onEnd();
    this.upstream.close();
  }

  private toClient(step: (client: ServerWebSocket<SocketRelay>) => void): void {
    if (this.client === undefined) this.early.push(step);
    else step(this.client);
  }

  private pass(client: ServerWebSocket<SocketRelay>, data: string | Buffer): void {
    client.send(data, isWorthDeflating(data));
    if (client.getBufferedAmount() > waitingMaxBytes) this.end(tryAgainLater, "the client reads too slowly");
  }

  private end(code: number, reason: string): void {
    this.client?.close(code, reason);
  }
}

/** A gateway that died sends no close frame: its clients are told to connect again. */
function closeClient(client: ServerWebSocket<SocketRelay>, code: number, reason: string): void {
  if (isSendable(code)) client.close(code, reason);
  else client.close(serviceRestart, "the gateway has gone; connect again");
}

/** True for a close code that a frame may have.
 *  Source: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
function isSendable(code: number): boolean {
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
}
