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
  const common = [subject?.CN ?? []].flat().map((name) => `CN=${name}`);
  return [...common, ...alternativeNames(subjectaltname)];
}

/** The alternative names of the kinds that a mapping can name. A name that could be mistaken for several is in quotes, and left out.
 *  Source: https://nodejs.org/en/blog/vulnerability/jan-2022-security-releases (CVE-2021-44532) */
function alternativeNames(text: string): string[] {
  return text.split(", ").flatMap((name) => {
    const [, kind = "", value = ""] = /^(DNS|URI|email):([^"]+)$/.exec(name) ?? [];
    if (kind === "") return [];
    return kind === "DNS" ? `dns:${value.toLowerCase()}` : `${kind.toLowerCase()}:${value}`;
  });
}
