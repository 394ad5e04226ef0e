import { Elysia } from "elysia";
import { messageDeflate } from "../../kit/message-deflate.ts";
import { accepts } from "../http/parameters/accepts.ts";
import { hiddenDetail } from "../http/access/access-rule.ts";
import { optional, text } from "../http/parameters/parameter.ts";
import { type LiveOptions, LiveSockets } from "./live-sockets.ts";

/** Two limits, in bytes. Bun closes a connection that sends a longer message. Bun buffers at most this many bytes for a
 *  client that does not read; LiveSocket stops sending long before this limit. */
const transportMaxBytes = 1024 * 1024;

/** Bun's settings for WebSockets: Bun pings silent connections, and closes those that stay silent. Only long messages are compressed
 *  (`isWorthDeflating`); the updates of /ws are short, and each is sent to many. */
export function socketSettings({ wsIdleTimeoutMs }: { readonly wsIdleTimeoutMs: number }) {
  return {
    idleTimeout: Math.ceil(wsIdleTimeoutMs / 1000),
    sendPings: true,
    maxPayloadLength: transportMaxBytes,
    backpressureLimit: transportMaxBytes,
    perMessageDeflate: messageDeflate,
  };
}

/** A browser, which can send no key with a WebSocket, has a ticket of POST /api/v1/tickets. */
const ticketQuery = { ticket: optional(text({ maxLength: 64, description: "A ticket, which opens one connection" })) };

/** /ws: sends newest records as they arrive, to any key: each message has its scope.
 *
 *  This is a plain route, because Elysia's own WebSocket route makes several objects for each message and hides the
 *  message's text. Bun calls the methods of the object that the upgrade passes as `data`. */
export function liveRoutes(options: LiveOptions) {
  const sockets = new LiveSockets(options);
  return new Elysia({ name: "live" }).get(
    "/ws",
    ({ request, server, set }) => {
      set.headers.upgrade = "websocket"; // required in a 426; for a 101, Bun itself writes the header
      sockets.upgrade(request, server);
      set.status = 101;
    },
    // hidden, because an operation without a 2xx answer would be an error in the document; docs/websocket.md describes /ws
    { ...accepts(ticketQuery), detail: hiddenDetail({ scope: "any" }) },
  );
}
