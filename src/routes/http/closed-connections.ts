import { Elysia } from "elysia";

/** Asks clients for a new connection with every response while the process drains: a balancer between them and the process then
 *  chooses another process for their next request.
 *  @param draining aborted when the process is about to stop */
export function closedConnections(draining: AbortSignal) {
  return new Elysia({ name: "closed-connections" }).onRequest(({ set }) => {
    if (draining.aborted) set.headers.connection = "close";
  });
}
