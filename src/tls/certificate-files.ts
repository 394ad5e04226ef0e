import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { TlsUnusable } from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";

/** The files of a server's certificate, as the settings name them. */
export interface CertificateFiles {
  /** PEM: the server's certificate, then those of the authorities between it and the root. */
  readonly certFile: string;
  /** PEM: the private key of the first certificate, without a passphrase. */
  readonly keyFile: string;
  /** PEM: the authorities of client certificates; undefined: clients are not asked for one. */
  readonly clientCaFile: string | undefined;
}

/** The contents of the files. */
export interface CertificateTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** A certificate and a key that belong together. */
export interface ServerCertificate extends CertificateTexts {
  /** For people: its subject, or else its names. */
  readonly name: string;
  readonly validFromMs: number;
  readonly validToMs: number;
}

/** Reads the files.
 *  @throws TlsUnusable that names the file that cannot be read */
export async function readTexts({ certFile, keyFile, clientCaFile }: CertificateFiles): Promise<CertificateTexts> {
  return {
    cert: await readText("TLS_CERT_FILE", certFile),
    key: await readText("TLS_KEY_FILE", keyFile),
    clientCa: clientCaFile === undefined ? undefined : await readText("AUTH_CLIENT_CA_FILE", clientCaFile),
  };
}

/** Checks that the texts can serve TLS. The time of validity is not checked.
 *  @throws TlsUnusable that names the file and says what is wrong with it */
export function checkTexts(files: CertificateFiles, texts: CertificateTexts): ServerCertificate {
  const [leaf, ...chain] = certificatesIn("TLS_CERT_FILE", files.certFile, texts.cert);
  const key = keyIn(files.keyFile, texts.key);
  if (!leaf.checkPrivateKey(key)) {
    const isLater = chain.some((other) => other.checkPrivateKey(key));
    throw new TlsUnusable(
      isLater
        ? `TLS_CERT_FILE=${files.certFile}: the certificate of the key in TLS_KEY_FILE must be the first one, before those of its authorities`
        : `TLS_KEY_FILE=${files.keyFile} is not the key of the certificate in TLS_CERT_FILE=${files.certFile}`,
    );
  }
  if (texts.clientCa !== undefined) certificatesIn("AUTH_CLIENT_CA_FILE", files.clientCaFile ?? "", texts.clientCa);
  try {
    createSecureContext({ cert: texts.cert, key: texts.key, ...(texts.clientCa ? { ca: texts.clientCa } : {}) });
  } catch (cause) {
    throw new TlsUnusable(`TLS_CERT_FILE=${files.certFile} cannot be used: ${messageOf(cause)}`, { cause });
  }
  return {
    ...texts,
    name: leaf.subject.replaceAll("\n", ", ") || (leaf.subjectAltName ?? "a certificate without a name"),
    validFromMs: Date.parse(leaf.validFrom),
    validToMs: Date.parse(leaf.validTo),
  };
}

async function readText(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new TlsUnusable(`${setting}=${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM file, at least one. */
function certificatesIn(setting: string, file: string, text: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = (text.match(certificateBlock) ?? []).map((block) => new X509Certificate(block));
    if (first !== undefined) return [first, ...others];
  } catch (cause) {
    throw new TlsUnusable(`${setting}=${file} has a certificate that cannot be read: ${messageOf(cause)}`, { cause });
  }
  throw new TlsUnusable(`${setting}=${file} has no certificate; expected PEM, with -----BEGIN CERTIFICATE-----`);
}

function keyIn(file: string, text: string): KeyObject {
  if (/ENCRYPTED/.test(text)) {
    throw new TlsUnusable(`TLS_KEY_FILE=${file} needs a passphrase; expected a key without one`);
  }
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new TlsUnusable(`TLS_KEY_FILE=${file} has no private key; expected PEM, with -----BEGIN PRIVATE KEY-----`, {
      cause,
    });
  }
}
