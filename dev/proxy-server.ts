import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A listening proxy. */
export interface ProxyServer {
  readonly port: number;
  /** Cuts every connection. */
  readonly cutAll: () => void;
  readonly close: () => Promise<void>;
}

/** Opens a proxy in front of a server, on a free port of 127.0.0.1. If one side of a connection closes, the other one does, too.
 *  @param onConnection forwards the data between the two sides */
export async function openProxyServer(
  to: { readonly host: string; readonly port: number },
  onConnection: (client: Socket, upstream: Socket) => void,
): Promise<ProxyServer> {
  const sockets = new Set<Socket>();
  const cutAll = (): void => sockets.forEach((socket) => socket.destroy());
  const server = createServer((client) => {
    const upstream = connect({ host: to.host, port: to.port, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    onConnection(client, upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cutAll,
    close: () => {
      cutAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
