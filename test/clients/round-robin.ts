import type { Server } from "bun";

/** A load balancer in front of gateways. */
export interface RoundRobin {
  readonly url: string;
  /** How many requests each gateway got, in the order of their URLs. */
  readonly taken: readonly number[];
  stop(): Promise<void>;
}

/** Sends each request to the next one of the gateways, on a free port. */
export function startRoundRobin(gateways: readonly string[]): RoundRobin {
  const taken = gateways.map(() => 0);
  const next = { at: 0 };
  const take = (): string => {
    const at = next.at % gateways.length;
    next.at += 1;
    taken[at] = (taken[at] ?? 0) + 1;
    return gateways[at] as string;
  };
  const server: Server<undefined> = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const { pathname, search } = new URL(request.url);
      return fetch(`${take()}${pathname}${search}`, {
        method: request.method,
        headers: request.headers,
        body: request.body,
        redirect: "manual",
        decompress: false,
      });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, taken, stop: () => server.stop(true) };
}
