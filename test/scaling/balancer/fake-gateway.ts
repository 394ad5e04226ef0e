import { afterEach } from "bun:test";
import type { Server } from "bun";
import { type OpenBalancer, openBalancer } from "./open-balancer.ts";

const toStop: (() => unknown)[] = [];
afterEach(async () => void (await Promise.all(toStop.splice(0).map((stop) => stop()))));

/** Has a function called after the current test. */
export const stopAfterTest = (stop: () => unknown): void => void toStop.push(stop);

/** Answers the requests other than checks; undefined if the request has become a WebSocket. */
export type Answer = (request: Request, server: Server<unknown>) => Response | Promise<Response> | undefined;

/** A server that behaves as a gateway can behave. */
export interface FakeGateway {
  readonly url: string;
  /** The requests so far, without checks. */
  readonly requests: { readonly method: string; readonly headers: Headers }[];
  stop(): Promise<void>;
}

/** @param ready the status of /health/ready */
export function fakeGateway(answer: Answer, ready: () => number | Promise<number> = () => 200): FakeGateway {
  const requests: FakeGateway["requests"] = [];
  const server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0, idleTimeout: 60, maxRequestBodySize: Number.MAX_SAFE_INTEGER },
    async fetch(request, bunServer) {
      if (new URL(request.url).pathname === "/health/ready") return new Response("", { status: await ready() });
      requests.push({ method: request.method, headers: request.headers });
      return answer(request, bunServer);
    },
    websocket: {
      open: (socket) => void socket.send("early"),
      message(socket, data) {
        if (data === "close") socket.close(4001, "as asked");
        else if (data === "flood") for (let i = 0; i < 300; i += 1) socket.send("x".repeat(100_000));
        else socket.send(data);
      },
    },
  });
  const stop = (): Promise<void> => server.stop(true);
  stopAfterTest(stop);
  return { url: server.url.origin, requests, stop };
}

/** A balancer before gateways. */
export async function before(...gateways: readonly FakeGateway[]): Promise<OpenBalancer> {
  const balancer = await openBalancer(gateways.map(({ url }) => url));
  stopAfterTest(balancer.stop);
  return balancer;
}

/** A client that can stop reading. */
export const rawClient = (url: string) => {
  const { hostname, port } = new URL(url);
  return Bun.connect({ hostname, port: Number(port), socket: { data: () => undefined } });
};

/** The status of an error and its code in the envelope. */
export const errorOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { error: { code: string } }).error.code,
];
