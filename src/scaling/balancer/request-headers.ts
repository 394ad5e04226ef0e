import { isHostHeader } from "../../kit/host-header.ts";

/** Headers that belong to one connection, which a proxy must not pass on. The balancer itself answers `Expect`.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const connectionHeaders = [
  "connection",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Who has sent a request to the balancer, and how. */
export interface BalancerClient {
  readonly address: string;
  readonly scheme: "http" | "https";
}

/** The headers of a request as a gateway gets them: without those of the client's connection, and with the client's address at
 *  the end of X-Forwarded-For. */
export function forwardedHeaders(request: Request, { address, scheme }: BalancerClient): Headers {
  const headers = withoutConnectionHeaders(request.headers);
  const earlier = headers.get("x-forwarded-for");
  headers.set("x-forwarded-for", earlier === null ? address : `${earlier}, ${address}`);
  if (!headers.has("x-forwarded-proto")) headers.set("x-forwarded-proto", scheme);
  const host = headers.get("host");
  if (host !== null && !headers.has("x-forwarded-host")) headers.set("x-forwarded-host", host);
  return headers;
}

/** A copy of the headers without those that belong to one connection. */
export function withoutConnectionHeaders(given: Headers): Headers {
  const headers = new Headers(given);
  const named = headers.get("connection")?.split(",") ?? [];
  for (const name of [...named.map((text) => text.trim()), ...connectionHeaders]) if (name !== "") headers.delete(name);
  return headers;
}

/** False for a request whose Host header is not one host, or one that no URL can have. */
export function hasUsableHost({ headers, url }: Request): boolean {
  return isHostHeader(headers.get("host") ?? "") && URL.canParse(url);
}
