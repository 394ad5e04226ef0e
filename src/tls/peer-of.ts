import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { ClientCertificate, Peer } from "./peer.ts";

/** The client at the other end of a TLS connection. */
export function peerOf(socket: TLSSocket): Peer {
  return { address: socket.remoteAddress ?? "", certificate: certificateOf(socket) };
}

function certificateOf(socket: TLSSocket): ClientCertificate | string | undefined {
  // an empty object if the client has shown none
  const shown = socket.getPeerCertificate() as Partial<DetailedPeerCertificate> | null;
  if (!shown?.raw) return undefined;
  if (!socket.authorized) return String(socket.authorizationError);
  return {
    names: namesOf(shown),
    subject: Object.entries(shown.subject ?? {})
      .flatMap(([name, values]) => [values ?? []].flat().map((value) => `${name}=${value}`))
      .join(", "),
    validToMs: Date.parse(shown.valid_to ?? ""),
  };
}

/** The names by which a mapping can know a certificate. */
function namesOf({ subject, subjectaltname = "" }: Partial<DetailedPeerCertificate>): string[] {
  const common = [subject?.CN ?? []].flat().map((name) => `CN:${name}`);
  return [...common, ...alternativeNames(subjectaltname)];
}

/** The alternative names that are plain texts. A name with characters that could be mistaken for the list's own (a quoted one) is
 *  left out: a mapping must not take a part of a name for another name.
 *  Source: https://nodejs.org/api/tls.html#certificate-object (CVE-2021-44532: such names are quoted) */
function alternativeNames(text: string): string[] {
  if (text.includes('"')) return [];
  return text
    .split(", ")
    .flatMap((name) => /^(?:(DNS|URI):(.+)|email:(.+))$/.exec(name) ?? [])
    .filter((name) => /^(?:DNS|URI|email):/.test(name))
    .map((name) => name.replace(/^email:/, "EMAIL:"));
}
