import { isIP } from "node:net";
import { peerOf } from "./tls-peers.ts";

/** The part of Bun's server that this module uses. */
export interface AddressServer {
  requestIP(request: Request): { readonly address: string } | null;
}

/** Whether the client's address is in X-Forwarded-For, which proxies have set: the number of these proxies, each of which adds the address
 *  that it sees to the end; true: one. */
export type TrustedHops = boolean | number;

/** The address of a request's client; undefined if it is not known.
 *  @param trustsForwardedFor whether X-Forwarded-For has it, and where */
export function clientAddress(
  request: Request,
  server: AddressServer | null,
  trustsForwardedFor: TrustedHops,
): string | undefined {
  const hops = Number(trustsForwardedFor);
  const forwarded = hops === 0 ? [] : (request.headers.get("x-forwarded-for") ?? "").split(",");
  // a request that has passed fewer proxies has fewer addresses
  const address = addressIn((forwarded.at(-hops) ?? forwarded[0] ?? "").trim());
  return address ?? peerOf(request)?.address ?? server?.requestIP(request)?.address;
}

/** The address in an element of X-Forwarded-For, which may have a port; undefined if there is none.
 *  Source: https://www.rfc-editor.org/rfc/rfc7239#section-6 */
function addressIn(element: string): string | undefined {
  const [, bracketed, beforePort] = /^(?:\[([^\]]+)\](?::\d+)?|([^:]+):\d+)$/.exec(element) ?? [];
  const address = bracketed ?? beforePort ?? element;
  return isIP(address) === 0 ? undefined : address;
}
