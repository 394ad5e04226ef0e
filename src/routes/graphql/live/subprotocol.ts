import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws";
import { offeredProtocols } from "../../../kit/web-socket-handshake.ts";
import { ApiError, shown } from "../../http/api-error.ts";

/** Checks which subprotocols a client offers, in whatever order.
 *  @throws ApiError 400 if the client does not offer the only subprotocol that is spoken here */
export function requireProtocol(headers: Headers): void {
  const offered = offeredProtocols(headers);
  if (offered.includes(GRAPHQL_TRANSPORT_WS_PROTOCOL)) return;
  const given = offered.length === 0 ? "no subprotocol" : `the subprotocols ${shown(offered.join(", "))}`;
  const message = `The client offers ${given}; /graphql speaks ${GRAPHQL_TRANSPORT_WS_PROTOCOL} (npm graphql-ws)`;
  throw new ApiError(400, "invalid_parameter", {
    message,
    details: { header: "sec-websocket-protocol", supported: [GRAPHQL_TRANSPORT_WS_PROTOCOL] },
  });
}
