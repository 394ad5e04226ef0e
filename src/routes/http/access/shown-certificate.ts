import type { Credential } from "../../../access/credential.ts";
import { shown } from "../api-error.ts";
import type { OriginRule } from "../door/origin-rule.ts";
import { isOpenedPage } from "./session-cookie.ts";
import { peerOf } from "./tls-peers.ts";

/** The certificate of a request's connection, as far as it says who sends the request. One that a proxy has passed on comes over the
 *  proxy's connection. Browsers show certificates at requests of other pages, too.
 *  @returns undefined if the client has shown none that counts */
export function certificateOf(request: Request, origins: OriginRule): Credential | undefined {
  const certificate = peerOf(request)?.certificate;
  if (certificate === undefined || typeof certificate === "string" || isPassedOn(request)) return undefined;
  const sender = origins.senderOf(request.headers);
  const isWanted = sender === "self" || sender === "listed" || isOpenedPage(request);
  return isWanted ? { kind: "certificate", certificate } : undefined;
}

/** Why the certificate of a request's connection does not say who sends the request; undefined if the client has shown none. */
export function certificateProblem(request: Request): string | undefined {
  const certificate = peerOf(request)?.certificate;
  if (certificate === undefined || isPassedOn(request)) return undefined;
  if (typeof certificate === "string") return `the client certificate is not accepted (${certificate})`;
  const name = shown(certificate.names.join(", ") || certificate.subject);
  return `the client certificate of ${name} has expired, or AUTH_MAPPING_FILE grants nothing to it`;
}

function isPassedOn({ headers }: Request): boolean {
  return headers.has("x-forwarded-for") || headers.has("forwarded");
}
