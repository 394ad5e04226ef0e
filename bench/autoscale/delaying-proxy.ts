import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Opens a proxy in front of a database: what clients send arrives `ms` later.
 *  @returns the database's URL by way of the proxy */
export async function openDelayingProxy(
  databaseUrl: string,
  ms: number,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { hostname: host, port } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host, port: Number(port), noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (data) => void setTimeout(() => upstream.write(data), ms));
    upstream.on("data", (data) => client.write(data));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
