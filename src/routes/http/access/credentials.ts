import type { CredentialText } from "../../../access/credential.ts";
import { isHandshake } from "../../../kit/web-socket-handshake.ts";
import { cookieIn } from "./session-cookie.ts";

/** What a request shows to say who sends it. An Authorization header counts alone, even if it has no key that can be read, and a
 *  ticket counts before a session.
 *  @param sessionCookie the name of the cookie of sessions; undefined if cookies of this request do not count
 *  @returns undefined if the request shows nothing */
export function credentialOf({ headers, url }: Request, sessionCookie: string | undefined): CredentialText | undefined {
  const authorization = headers.get("authorization");
  if (authorization !== null) return credential("bearer", keyIn(authorization));
  const ticket = isHandshake(headers) ? credential("ticket", ticketIn(url)) : undefined;
  const session = sessionCookie === undefined ? undefined : cookieIn(headers, sessionCookie);
  return ticket ?? credential("session", session);
}

function credential(kind: CredentialText["kind"], text: string | undefined): CredentialText | undefined {
  return text === undefined ? undefined : { kind, text };
}

/** The key in an Authorization header: `Bearer KEY`, or `Basic` with the key as the password. Basic is what Prometheus, Grafana and
 *  browsers can do; its user is ignored.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-11.4 ("case-insensitive token to identify the authentication scheme")
 *  @returns undefined if the header has no key */
export function keyIn(authorization: string): string | undefined {
  const [, scheme = "", credentials = ""] = /^(bearer|basic) +([\w.~+/=-]+) *$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === "bearer") return credentials;
  if (scheme === "") return undefined;
  const pair = Buffer.from(credentials, "base64").toString("utf8");
  const colonAt = pair.indexOf(":");
  return colonAt === -1 ? undefined : pair.slice(colonAt + 1);
}

/** The ticket in the query of a WebSocket's URL; undefined if there is none. */
function ticketIn(url: string): string | undefined {
  return /[?&]ticket=([\w-]+)(?:&|$)/.exec(url)?.[1];
}
