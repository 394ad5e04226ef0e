import type { Socket } from "bun";
import { median, quantile } from "./statistics.ts";

/** One request, sent repeatedly on connections that stay open. */
export interface HttpLoad {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpRate {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Connection {
  /** The number of bytes of the response's body that are still missing; NaN while the head is incomplete. */
  leftBytes: number;
  head: string;
  askedAtMs: number;
}

const warmUpSeconds = 1;

/** Sends requests as fast as the server responds, one at a time on each connection. The first second is not counted. Uses plain
 *  sockets, because fetch would take more processor time than most responses.
 *  @throws Error if a response's status is not 200, if a response has no content-length, or if a connection cannot be
 *    opened or has an error */
export async function httpLoad({ url, connections, seconds, ...request }: HttpLoad): Promise<HttpRate> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const { method = "GET", headers = {}, body = "" } = request;
  const all = { host, ...headers, ...(body === "" ? {} : { "content-length": String(Buffer.byteLength(body)) }) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  const times: number[] = [];
  const failed = Promise.withResolvers<never>();
  const startMs = performance.now() + warmUpSeconds * 1000;
  const ask = (socket: Socket<Connection>): void => {
    Object.assign(socket.data, { leftBytes: NaN, head: "", askedAtMs: performance.now() });
    socket.write(text);
  };
  const onAnswer = (socket: Socket<Connection>): void => {
    const nowMs = performance.now();
    if (socket.data.askedAtMs >= startMs) times.push(nowMs - socket.data.askedAtMs);
    ask(socket);
  };
  const data = (socket: Socket<Connection>, chunk: Buffer): void => {
    try {
      if (receive(socket.data, chunk)) onAnswer(socket);
    } catch (error) {
      failed.reject(error);
    }
  };
  const open = () =>
    Bun.connect<Connection>({
      hostname,
      port: Number(port),
      data: { leftBytes: NaN, head: "", askedAtMs: 0 },
      socket: { open: ask, data, error: (_, error) => failed.reject(error) },
    });
  const sockets = await Promise.all(Array.from({ length: connections }, open));
  await Promise.race([Bun.sleep((warmUpSeconds + seconds) * 1000), failed.promise]);
  const count = times.length;
  for (const socket of sockets) socket.terminate();
  return { perSecond: count / seconds, p50Ms: median(times), p99Ms: quantile(times, 0.99) };
}

/** Processes a part of a response. @returns true if the response is now complete */
function receive(connection: Connection, chunk: Buffer): boolean {
  let bodyBytes = chunk.length;
  if (Number.isNaN(connection.leftBytes)) {
    connection.head += chunk.toString("latin1");
    const end = connection.head.indexOf("\r\n\r\n");
    if (end === -1) return false;
    if (!connection.head.startsWith("HTTP/1.1 200")) throw new Error(connection.head.slice(0, 500));
    const length = /\r\ncontent-length: (\d+)/i.exec(connection.head.slice(0, end))?.[1];
    if (length === undefined) throw new Error(`no content-length: ${connection.head.slice(0, end)}`);
    connection.leftBytes = Number(length);
    bodyBytes = connection.head.length - end - 4;
  }
  connection.leftBytes -= bodyBytes;
  return connection.leftBytes === 0;
}
