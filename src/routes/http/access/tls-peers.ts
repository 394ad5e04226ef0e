import { Elysia } from "elysia";
import type { Peer, Peers } from "../../../tls/peer.ts";
import { ApiError } from "../api-error.ts";
import { outerOf } from "./inner-request.ts";

const peers = new WeakMap<Request, Peer>();

/** The client at the other end of the TLS connection that has sent a request; undefined without TLS. */
export function peerOf(request: Request): Peer | undefined {
  return peers.get(request);
}

/** Notes which client has sent each request, and refuses requests that did not come through TLS: another program of this machine has
 *  found the port behind it. Mount it before what asks for a client's address.
 *  @param known undefined if the process serves without TLS */
export function tlsPeers(known: Peers | undefined) {
  const plugin = new Elysia({ name: "tls-peers" });
  if (known === undefined) return plugin;
  return plugin.onRequest(({ request, server }) => {
    const outer = outerOf(request);
    const peer = outer === undefined ? known.at(server?.requestIP(request)) : peers.get(outer);
    if (peer === undefined) throw tlsRequired();
    peers.set(request, peer);
  });
}

function tlsRequired(): ApiError {
  return new ApiError(403, "tls_required", {
    message: "This port is for the process itself; use the port that serves TLS",
    details: { setting: "TLS_CERT_FILE" },
  });
}
