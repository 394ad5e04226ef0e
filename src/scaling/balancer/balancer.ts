import type { Server } from "bun";
import type { Logger } from "pino";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import { aborted } from "../../kit/aborted.ts";
import { defined } from "../../kit/defined.ts";
import { urlOfHost } from "../../kit/host-port.ts";
import type { HostNames } from "../../kit/host-names.ts";
import { messageDeflate } from "../../kit/message-deflate.ts";
import { isHandshake } from "../../kit/web-socket-handshake.ts";
import type { TlsFront } from "../../tls/tls-front.ts";
import type { Backends } from "./backends.ts";
import { errorResponse, hostNotAllowed, invalidHost, tlsRequired } from "./error-response.ts";
import { forward, isPassedAsItComes } from "./forward.ts";
import { openRelay } from "./open-relay.ts";
import { type BalancerClient, hasUsableHost, withoutConnectionHeaders } from "./request-headers.ts";
import type { SocketRelay } from "./socket-relay.ts";

export interface BalancerOptions {
  readonly backends: Backends;
  readonly host: string;
  /** The names under which the balancer answers for itself; gateways check the names for what they answer. */
  readonly hosts: HostNames;
  /** 0: any free port. */
  readonly port: number;
  /** Undefined: the balancer serves without TLS. */
  readonly tls?: TlsFront | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The path that the balancer answers itself. */
const statusPath = "/balancer/status";
/** A connection on which nothing happens for this long is closed; longer than a gateway lets one be silent. */
const idleSeconds = 240;
/** Bun drops messages for a client above this; the relay ends at a quarter of it. */
const backpressureLimitBytes = 16 * 1024 * 1024;

/** Spreads requests and WebSockets over the gateways, so that a client sees none of their restarts. */
export class Balancer extends BaseService {
  private readonly relays = new Set<SocketRelay>();
  private server: Server<SocketRelay> | undefined;
  private ownUrl: string | undefined;

  constructor(private readonly options: BalancerOptions) {
    super("balancer", options.log);
  }

  /** Where the balancer listens; undefined before it has started. */
  get url(): string | undefined {
    return this.ownUrl;
  }

  /** @throws the error of the system if the port cannot be used */
  protected override async open(): Promise<void> {
    const { host, port, tls, log } = this.options;
    const server = this.serve(...(tls === undefined ? ([host, port] as const) : (["127.0.0.1", 0] as const)));
    this.server = server;
    this.ownUrl = server.url.origin;
    if (tls !== undefined) {
      const ownPort = await tls.listen(server.port ?? 0);
      this.ownUrl = urlOfHost({ scheme: "https", host, port: ownPort });
      tls.listenForRedirects(ownPort);
    }
    log.info(`balancer listens on ${this.ownUrl}`);
  }

  private serve(hostname: string, port: number): Server<SocketRelay> {
    return Bun.serve<SocketRelay>({
      ...{ hostname, port, idleTimeout: idleSeconds, development: false },
      // gateways refuse what is too large for them, and say so; a body is passed on as it comes
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request, server) => this.answer(request, server),
      error: (error) => this.failed(error),
      websocket: {
        ...{ idleTimeout: idleSeconds, sendPings: true, perMessageDeflate: messageDeflate },
        backpressureLimit: backpressureLimitBytes,
        open: (client) => client.data.open(client),
        message: (client, data) => client.data.message(data),
        close: (client, code, reason) => {
          this.relays.delete(client.data);
          client.data.closed(code, reason);
        },
      },
    });
  }

  protected override run(): Promise<void> {
    return aborted(this.stopping);
  }

  /** Open requests are finished until the deadline. */
  protected override async close(): Promise<void> {
    for (const relay of this.relays) relay.restart();
    this.options.tls?.stopListening();
    const finished = this.server?.stop();
    await Promise.race([finished, aborted(this.deadline)]);
    await this.server?.stop(true);
  }

  private async answer(request: Request, server: Server<SocketRelay>): Promise<Response | undefined> {
    if (!hasUsableHost(request)) return invalidHost(request);
    const client = this.clientOf(request, server);
    if (client === undefined) return tlsRequired();
    if (new URL(request.url).pathname === statusPath) return this.status(request);
    const { backends } = this.options;
    // a gateway ends a sender that is silent; Bun would close the connection of one that is slow, without an answer
    if (isPassedAsItComes(request)) server.timeout(request, 0);
    return isHandshake(request.headers) ? this.upgrade(request, client, server) : forward(request, client, backends);
  }

  /** @returns undefined for a connection that did not come through TLS, if the balancer serves TLS */
  private clientOf(request: Request, server: Server<SocketRelay>): BalancerClient | undefined {
    const from = server.requestIP(request);
    const { tls } = this.options;
    if (tls === undefined) return { address: from?.address ?? "unknown", scheme: "http" };
    const peer = tls.peers.at(from);
    return peer && { address: peer.address, scheme: "https" };
  }

  private async upgrade(
    request: Request,
    client: BalancerClient,
    server: Server<SocketRelay>,
  ): Promise<Response | undefined> {
    const opened = await openRelay(request, { ...this.options, client });
    if (opened === undefined) return this.refusal(request, client);
    const { relay, protocol } = opened;
    this.relays.add(relay);
    const headers = protocol === "" ? {} : { "sec-websocket-protocol": protocol };
    if (server.upgrade(request, { data: relay, headers })) return undefined;
    this.relays.delete(relay);
    relay.abandon();
    return forward(request, client, this.options.backends);
  }

  /** Bun's client does not tell how a gateway refused a handshake, so the gateway is asked again without the handshake. */
  private async refusal(request: Request, client: BalancerClient): Promise<Response> {
    const plain = new Request(request.url, {
      headers: withoutConnectionHeaders(request.headers),
      signal: request.signal,
    });
    const response = await forward(plain, client, this.options.backends);
    const upgradeRequired = 426;
    if (response.status >= 400 && response.status !== upgradeRequired) return response;
    await response.body?.cancel();
    const message = "No gateway accepts another WebSocket; connect again later";
    return errorResponse({ status: 503, code: "no_room", message, details: {} });
  }

  private status(request: Request): Response {
    const host = request.headers.get("host");
    if (host !== null && !this.options.hosts.includes(host)) return hostNotAllowed(host);
    const backends = this.options.backends
      .list()
      .map(({ name, url, state, open, problem }) => defined({ name, url, state, open, problem }));
    return Response.json({ backends });
  }

  private failed(error: unknown): Response {
    this.options.log.error({ err: error }, "a request failed");
    const message = "The request failed inside the balancer; its log says why";
    return errorResponse({ status: 502, code: "gateway_failed", message, details: {} });
  }
}
