import type { ServerWebSocket } from "bun";

/** A load balancer in front of gateways. */
export interface RoundRobin {
  readonly url: string;
  /** The number of requests that each gateway got, in the order of `gateways`. */
  readonly counts: readonly number[];
  stop(): Promise<void>;
}

interface Relay {
  readonly upstream: WebSocket;
  /** Resolves when the connection to the gateway is open. */
  readonly opened: Promise<unknown>;
}

/** Listens on a free port, and sends each request and each WebSocket to the next gateway in turn. */
export function startRoundRobin(gateways: readonly string[]): RoundRobin {
  const counts = gateways.map(() => 0);
  let requests = 0;
  const nextGateway = (): string => {
    const index = requests % gateways.length;
    requests += 1;
    counts[index] = (counts[index] ?? 0) + 1;
    return gateways[index] as string;
  };
  const server = Bun.serve<Relay, never>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => {
      const { pathname, search } = new URL(request.url);
      const target = `${nextGateway()}${pathname}${search}`;
      if (request.headers.get("upgrade") !== null) {
        return self.upgrade(request, { data: relayTo(target) }) ? undefined : new Response("", { status: 426 });
      }
      const { method, headers, body } = request;
      return fetch(target, { method, headers, body, redirect: "manual", decompress: false });
    },
    websocket: {
      open: (client) => relayAnswers(client, client.data.upstream),
      message: ({ data: { upstream, opened } }, text) => void opened.then(() => upstream.send(text)),
      close: ({ data: { upstream } }) => upstream.close(),
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, counts, stop: () => server.stop(true) };
}

function relayTo(target: string): Relay {
  const upstream = new WebSocket(target.replace(/^http/, "ws"));
  return { upstream, opened: new Promise((resolve) => upstream.addEventListener("open", resolve)) };
}

function relayAnswers(client: ServerWebSocket<Relay>, upstream: WebSocket): void {
  upstream.onmessage = ({ data }) => void client.send(String(data));
  // the code 1006 means that the connection broke; a close frame must not contain it
  upstream.onclose = ({ code, reason }) => client.close(code === 1006 ? 1011 : code, reason);
}
