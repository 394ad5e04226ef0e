import type { ServerWebSocket } from "bun";

/** A load balancer in front of gateways. */
export interface RoundRobin {
  readonly url: string;
  /** How many requests each gateway got, in the order of their URLs. */
  readonly taken: readonly number[];
  stop(): Promise<void>;
}

interface Relay {
  readonly upstream: WebSocket;
  /** Resolves when the way to the gateway stands. */
  readonly isOpen: Promise<unknown>;
}

/** Sends each request, and each WebSocket, to the next one of the gateways, on a free port. */
export function startRoundRobin(gateways: readonly string[]): RoundRobin {
  const taken = gateways.map(() => 0);
  const next = { at: 0 };
  const take = (): string => {
    const at = next.at % gateways.length;
    next.at += 1;
    taken[at] = (taken[at] ?? 0) + 1;
    return gateways[at] as string;
  };
  const server = Bun.serve<Relay, never>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => {
      const { pathname, search } = new URL(request.url);
      const target = `${take()}${pathname}${search}`;
      if (request.headers.get("upgrade") !== null) {
        return self.upgrade(request, { data: relayTo(target) }) ? undefined : new Response("", { status: 426 });
      }
      const { method, headers, body } = request;
      return fetch(target, { method, headers, body, redirect: "manual", decompress: false });
    },
    websocket: {
      open: (client) => tellBack(client, client.data.upstream),
      message: ({ data: { upstream, isOpen } }, text) => void isOpen.then(() => upstream.send(text)),
      close: ({ data: { upstream } }) => upstream.close(),
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, taken, stop: () => server.stop(true) };
}

function relayTo(target: string): Relay {
  const upstream = new WebSocket(target.replace(/^http/, "ws"));
  return { upstream, isOpen: new Promise((resolve) => upstream.addEventListener("open", resolve)) };
}

function tellBack(client: ServerWebSocket<Relay>, upstream: WebSocket): void {
  upstream.onmessage = ({ data }) => void client.send(String(data));
  // 1006 says that a connection broke, and may not be sent
  upstream.onclose = ({ code, reason }) => client.close(code === 1006 ? 1011 : code, reason);
}
