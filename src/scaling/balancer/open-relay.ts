import type { Clock } from "../../kit/clock.ts";
import { endsWithin } from "../../kit/within.ts";
import { offeredProtocols } from "../../kit/web-socket-handshake.ts";
import type { Backend } from "./backend.ts";
import type { Backends } from "./backends.ts";
import { type BalancerClient, forwardedHeaders } from "./request-headers.ts";
import { SocketRelay } from "./socket-relay.ts";

/** A gateway that does not accept a WebSocket in this time is taken for one that refuses. */
const handshakeTimeoutMs = 5000;
/** Headers of the handshake that Bun's client writes itself. */
const handshakeHeaders = ["key", "version", "extensions", "protocol"].map((name) => `sec-websocket-${name}`);

/** What a relay needs besides the handshake. */
interface RelayParts {
  readonly client: BalancerClient;
  readonly backends: Backends;
  readonly clock: Clock;
}

/** A relay whose gateway has accepted, and the subprotocol that the gateway has chosen; empty if none. */
interface OpenRelay {
  readonly relay: SocketRelay;
  readonly protocol: string;
}

/** Opens a WebSocket to a gateway for a client's handshake; if a gateway refuses, to another one.
 *  @returns undefined if every gateway refuses */
export async function openRelay(
  request: Request,
  { client, backends, clock }: RelayParts,
): Promise<OpenRelay | undefined> {
  const { pathname, search } = new URL(request.url);
  const headers = forwardedHeaders(request, client);
  for (const name of handshakeHeaders) headers.delete(name);
  const options = {
    headers: Object.fromEntries(headers),
    protocols: offeredProtocols(request.headers),
    // the gateway is near
    perMessageDeflate: false,
    ...backends.tlsOption,
  };
  const tried = new Set<Backend>();
  for (let backend = backends.choose(tried); backend !== undefined; backend = backends.choose(tried)) {
    tried.add(backend);
    const end = backend.begin();
    const upstream = new WebSocket(`${backend.url.replace(/^http/, "ws")}${pathname}${search}`, options);
    if (await accepts(upstream, clock))
      return { relay: relayOf(upstream, backend, { end, clock }), protocol: upstream.protocol };
    end();
  }
  return undefined;
}

interface RelayEnd {
  /** Called when the relay ends. */
  readonly end: () => void;
  readonly clock: Clock;
}

function relayOf(upstream: WebSocket, backend: Backend, { end, clock }: RelayEnd): SocketRelay {
  const onEnd = (): void => {
    leave();
    end();
  };
  const relay = new SocketRelay(upstream, onEnd, clock);
  const leave = backend.wait({ sinceMs: undefined, isMovable: true, abandon: () => relay.gatewayIsSilent() });
  return relay;
}

/** Waits for the answer to a handshake. */
async function accepts(socket: WebSocket, clock: Clock): Promise<boolean> {
  const answer = new Promise<void>((resolve) => {
    socket.onerror = () => undefined;
    socket.onopen = socket.onclose = () => resolve();
  });
  await endsWithin(clock, handshakeTimeoutMs, () => answer);
  socket.onopen = socket.onclose = null;
  const isAccepted = socket.readyState === WebSocket.OPEN;
  if (!isAccepted) socket.close();
  return isAccepted;
}
