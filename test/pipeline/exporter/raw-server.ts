import { createServer, type Socket } from "node:net";

/** A server that sends what a proper HTTP server would not. */
export interface RawServer {
  /** host:port. */
  readonly address: string;
  close(): Promise<void>;
}

/** @param onRequest called with each connection that has sent something, and the number of requests on it so far */
export function startRawServer(onRequest: (socket: Socket, requests: number) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let requests = 0;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", () => onRequest(socket, (requests += 1)));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" ? address?.port : undefined;
      resolve({
        address: `127.0.0.1:${port}`,
        close: () => {
          for (const socket of sockets) socket.destroy();
          return new Promise((closed) => server.close(() => closed()));
        },
      });
    });
  });
}
