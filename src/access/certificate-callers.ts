import { shortened } from "../domain/cut-text.ts";
import type { Caller } from "./caller.ts";
import type { CallerSource } from "./caller-sources.ts";
import type { Credential, ShownCertificate } from "./credential.ts";
import type { MappedCallers } from "./mapped-callers.ts";

const referenceStart = "certificate:";
/** An id is in each entry of the audit log. */
const subjectMaxLength = 200;

/** The callers with a client certificate, as far as the mapping file knows one of its names. A caller ends when the certificate
 *  expires, and when the file no longer grants the same. */
export class CertificateCallers implements CallerSource {
  constructor(private readonly callers: MappedCallers) {}

  identify(credential: Credential): Caller | undefined {
    return credential.kind === "certificate" ? this.callerFor(credential.certificate) : undefined;
  }

  /** @param reference of a caller whose certificate was checked, as a ticket has it */
  callerOf(reference: string): Caller | undefined {
    if (!reference.startsWith(referenceStart)) return undefined;
    return this.callerFor(JSON.parse(reference.slice(referenceStart.length)) as ShownCertificate);
  }

  private callerFor({ names, subject, validToMs }: ShownCertificate): Caller | undefined {
    const name = shortened(subject || names.join(", "), subjectMaxLength);
    return this.callers.callerOf({
      kind: "certificate",
      reference: `${referenceStart}${JSON.stringify({ names, subject, validToMs })}`,
      id: `certificate:${name}`,
      name,
      identity: { certificate: names },
      expiresAtMs: validToMs,
    });
  }
}
