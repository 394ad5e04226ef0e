import type { Socket } from "bun";
import { type FakeGateway, stopAfterTest } from "./fake-gateway.ts";

interface Connection {
  /** The requests on this connection so far. */
  requests: number;
}

/** A server that answers with bytes. It says that it is ready.
 *  @param answer receives each request other than a check, as text */
export function rawGateway(answer: (socket: Socket<Connection>, text: string) => void): FakeGateway & {
  /** What came so far, without checks. */
  readonly received: string[];
} {
  const received: string[] = [];
  const server = Bun.listen<Connection>({
    ...{ hostname: "127.0.0.1", port: 0 },
    socket: {
      open: (socket) => void (socket.data = { requests: 0 }),
      data(socket, bytes) {
        const text = bytes.toString("latin1");
        if (text.startsWith("GET /health/ready")) {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
          return;
        }
        socket.data.requests += 1;
        received.push(text);
        answer(socket, text);
      },
    },
  });
  stopAfterTest(() => server.stop(true));
  const stop = (): Promise<void> => Promise.resolve(server.stop(true));
  return { url: `http://127.0.0.1:${server.port}`, requests: [], stop, received };
}

/** Sends bytes, and reads until the other side closes. @param endsWith ends the reading, too */
export async function exchange(url: string, text: string, endsWith = "\0"): Promise<string> {
  const { hostname, port } = new URL(url);
  const done = Promise.withResolvers<void>();
  let answer = "";
  const socket = await Bun.connect({
    ...{ hostname, port: Number(port) },
    socket: {
      data(_, bytes) {
        answer += bytes.toString("latin1");
        if (answer.endsWith(endsWith)) done.resolve();
      },
      close: () => done.resolve(),
    },
  });
  socket.write(text);
  await done.promise;
  socket.terminate();
  return answer;
}
