import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { runInTrixie, type TrixieCommand } from "./trixie-server.ts";

/** PEM files of a client, for a server that requires client certificates. */
export interface ClientCertificate {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Creates a certificate authority, a certificate for a server on localhost, 127.0.0.1 and `hosts`, and a certificate for the
 *  server's clients. The server finds its own files in /srv: `ca.pem`, `server.pem` and `server-key.pem`.
 *  @throws Error with the output of the command that failed */
export async function makeCertificates(
  place: Omit<TrixieCommand, "command">,
  hosts: readonly string[],
): Promise<ClientCertificate> {
  const script = "make-certificates.sh";
  copyFileSync(join(import.meta.dir, script), join(place.folder, script));
  await runInTrixie({ ...place, command: ["sh", "-c", `cd /srv && sh ${script} "$@"`, "sh", ...hosts] });
  const file = (name: string): string => join(place.folder, name);
  return { caFile: file("ca.pem"), certFile: file("client.pem"), keyFile: file("client-key.pem") };
}
