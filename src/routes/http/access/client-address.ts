import { isIP } from "node:net";
import { peerOf } from "./tls-peers.ts";

/** The part of Bun's server that this module uses. */
export interface AddressServer {
  requestIP(request: Request): { readonly address: string } | null;
}

/** The address of a request's client; undefined if it is not known.
 *  @param trustsForwardedFor true: it is the last one of X-Forwarded-For, which a proxy has set */
export function clientAddress(
  request: Request,
  server: AddressServer | null,
  trustsForwardedFor: boolean,
): string | undefined {
  const forwarded = trustsForwardedFor ? request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() : undefined;
  const address = forwarded === undefined ? undefined : addressIn(forwarded);
  return address ?? peerOf(request)?.address ?? server?.requestIP(request)?.address;
}

/** The address in an element of X-Forwarded-For, which may have a port; undefined if there is none.
 *  Source: https://www.rfc-editor.org/rfc/rfc7239#section-6 */
function addressIn(element: string): string | undefined {
  const [, bracketed, beforePort] = /^(?:\[([^\]]+)\](?::\d+)?|([^:]+):\d+)$/.exec(element) ?? [];
  const address = bracketed ?? beforePort ?? element;
  return isIP(address) === 0 ? undefined : address;
}
