import { TlsCertificate } from "./tls-certificate.ts";
import { TlsFront, type TlsFrontOptions } from "./tls-front.ts";
import { TlsTerminator, type TlsTerminatorOptions } from "./tls-terminator.ts";
import type { TlsCertificateOptions } from "./tls-certificate.ts";

type Options = Omit<TlsFrontOptions & TlsTerminatorOptions, "certificate" | "peers"> & TlsCertificateOptions;

/** Makes TLS in front of an HTTP server. Nothing is read or opened yet. */
export function openTlsFront(options: Options): TlsFront {
  const certificate = new TlsCertificate(options);
  return new TlsFront({ ...options, certificate, peers: new TlsTerminator({ ...options, certificate }) });
}
