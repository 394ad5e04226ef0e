/** The certificate that a client has shown, and that an authority of AUTH_CLIENT_CA_FILE has signed. */
export interface ClientCertificate {
  /** Its names: `CN=grafana` from the subject, `dns:...` in lower case, `uri:...` and `email:...` from the alternative names. */
  readonly names: readonly string[];
  /** For people. */
  readonly subject: string;
  readonly validToMs: number;
}

/** The client at the other end of a TLS connection. */
export interface Peer {
  readonly address: string;
  /** A text says why a certificate that the client has shown does not count; undefined: it has shown none. */
  readonly certificate: ClientCertificate | string | undefined;
}

/** The other end of a connection to the HTTP server behind a terminator. */
export interface InnerEnd {
  readonly address: string;
  readonly port: number;
}

/** Knows the clients of the connections that a terminator has opened to the HTTP server behind it. */
export interface Peers {
  /** @param end undefined: not known
   *  @returns undefined if the terminator did not open the connection */
  at(end: InnerEnd | null | undefined): Peer | undefined;
}
