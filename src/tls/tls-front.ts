import type { Server } from "bun";
import type { HostNames } from "../kit/host-names.ts";
import { serveRedirects } from "./redirect-server.ts";
import type { TlsCertificate } from "./tls-certificate.ts";
import type { TlsTerminator } from "./tls-terminator.ts";

export interface TlsFrontOptions {
  readonly certificate: TlsCertificate;
  readonly peers: TlsTerminator;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** A port without TLS that leads to this one; undefined: none. */
  readonly redirects: { readonly port: number; readonly hosts: HostNames } | undefined;
  /** The port at which clients reach the process, if it is another one. */
  readonly shownPort: number | undefined;
  readonly hstsSeconds: number;
}

/** TLS in front of a process's HTTP server. */
export class TlsFront {
  /** A service, which must have started before `listen`. */
  readonly certificate: TlsCertificate;
  readonly peers: TlsTerminator;
  private redirects: Server<undefined> | undefined;

  constructor(private readonly options: TlsFrontOptions) {
    this.certificate = options.certificate;
    this.peers = options.peers;
  }

  get hstsSeconds(): number {
    return this.options.hstsSeconds;
  }

  /** @param innerPort of the HTTP server, on 127.0.0.1
   *  @returns the port
   *  @throws the error of the system if the port cannot be used */
  async listen(innerPort: number): Promise<number> {
    const { host, port } = this.options;
    return this.peers.listen({ host, port, innerPort });
  }

  /** Opens the port without TLS, if there is to be one.
   *  @throws the error of the system if the port cannot be used */
  listenForRedirects(tlsPort: number): void {
    const { host, redirects, shownPort } = this.options;
    if (redirects !== undefined) this.redirects = serveRedirects({ host, ...redirects, tlsPort: shownPort ?? tlsPort });
  }

  /** Accepts no more connections; open ones go on until the HTTP server ends them. */
  stopListening(): void {
    this.peers.stopListening();
    void this.redirects?.stop(true);
  }
}
