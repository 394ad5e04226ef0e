import { openProxyServer } from "../../dev/proxy-server.ts";

/** A proxy in front of a server. The proxy can cut connections at a chosen point. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts every connection at one piece of the data that clients send.
   *  @param piece the number of this piece, counted from 1 after this call
   *  @param which the data that is lost: this piece, or the server's answer to it */
  cutAt(piece: number, which: "piece" | "answer"): void;
  /** Drops what the connections of now send from now on, in both directions, and tells neither side: as a firewall does that has forgotten
   *  them. New connections work. */
  dropSilently(): void;
  /** True once the piece of `cutAt` has arrived. */
  readonly hasCut: boolean;
  close(): Promise<void>;
}

/** Opens a proxy on a free port of 127.0.0.1. */
export async function openTcpProxy(to: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const plan = { piecesLeft: Infinity, which: "piece" as "piece" | "answer" };
  let droppings = 0;
  const { port, cutAll, close } = await openProxyServer(to, (client, upstream) => {
    let isDeaf = false;
    const before = droppings;
    client.on("data", (data) => {
      if (droppings > before) return;
      plan.piecesLeft -= 1;
      if (plan.piecesLeft !== 0) return void upstream.write(data);
      if (plan.which === "piece") return cutAll();
      isDeaf = true;
      upstream.write(data);
    });
    // an answer shows that the server has done the work of the piece
    upstream.on("data", (data) => {
      if (isDeaf) cutAll();
      else if (droppings === before) client.write(data);
    });
  });
  return {
    port,
    cutAt: (piece, which) => Object.assign(plan, { piecesLeft: piece, which }),
    dropSilently: () => void (droppings += 1),
    get hasCut() {
      return plan.piecesLeft <= 0;
    },
    close,
  };
}
