import { Elysia } from "elysia";
import { accepts, noQuery } from "../http/parameters.ts";
import { type LiveOptions, LiveSockets } from "./live-sockets.ts";

/** Bytes of a message beyond which Bun closes the connection (1009), and bytes that it holds for one that does not
 *  read. What is to be sent waits with us, long before. */
const transportMaxBytes = 1024 * 1024;

/** How Bun is to serve WebSockets: it pings those that are silent, and closes those that stay so. */
export function socketSettings({ wsIdleTimeoutMs }: { readonly wsIdleTimeoutMs: number }) {
  return {
    idleTimeout: Math.ceil(wsIdleTimeoutMs / 1000),
    sendPings: true,
    maxPayloadLength: transportMaxBytes,
    backpressureLimit: transportMaxBytes,
    perMessageDeflate: false,
  };
}

/** /ws: newest records as they come.
 *
 *  A plain route, because Elysia's own for WebSockets makes several objects of each message and hides its text: what
 *  Bun calls is what the upgrade is given as `data`. */
export function liveRoutes(options: LiveOptions) {
  const sockets = new LiveSockets(options);
  return new Elysia({ name: "live" }).get(
    "/ws",
    ({ request, server, set }) => {
      set.headers.upgrade = "websocket"; // what 426 has to say; Bun writes the header of a success itself
      sockets.upgrade(request, server);
      set.status = 101;
    },
    // an operation without a 2xx answer would be a fault of the document; docs/websocket.md has it
    { ...accepts(noQuery), detail: { hide: true } },
  );
}
