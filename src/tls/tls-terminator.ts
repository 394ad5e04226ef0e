import { connect, type Socket } from "node:net";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { isLoopback } from "../kit/ip-address.ts";
import { AddressConnections } from "./address-connections.ts";
import { peerOf } from "./peer-of.ts";
import type { InnerEnd, Peer, Peers } from "./peer.ts";
import type { ServerCertificate } from "./certificate-files.ts";
import type { TlsCertificate } from "./tls-certificate.ts";

export interface TlsTerminatorOptions {
  readonly certificate: TlsCertificate;
  /** True: a client without a certificate of the authorities gets no connection. */
  readonly requiresClientCertificate: boolean;
  /** Called when a client's handshake fails. */
  readonly onFailure: (reason: HandshakeFailure) => void;
  /** Limits that replace the usual ones. */
  readonly limits?: Partial<TerminatorLimits>;
}

/** What one terminator bears. */
export interface TerminatorLimits {
  /** Connections at a time; further ones are closed at once. */
  readonly connections: number;
  /** Connections at a time of one IPv4 address or of one IPv6 network of 64 bits; further ones are closed at once. 0: no limit. */
  readonly connectionsPerAddress: number;
  /** Returns true for an address that this limit is not for: one that many clients share. */
  readonly exempts: (address: string) => boolean;
  readonly handshakeMs: number;
}

/** Why a handshake failed: the client spoke HTTP without TLS, or an earlier version of TLS; it refused our certificate, as an alert says;
 *  its certificate was missing or refused; it took too long or left; its address has too many connections; anything else. */
export type HandshakeFailure =
  "too_many_of_address" | "plain_http" | "version" | "refused_by_client" | "client_certificate" | "left" | "other";

/** Where the terminator listens, and the port of the HTTP server behind it, on 127.0.0.1. */
export interface TerminatorPlace {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly innerPort: number;
}

const loopback = "127.0.0.1";
/** Linux has about 28,000 ports for connections to one address; each client takes one. */
const usualLimits: TerminatorLimits = {
  connections: 20_000,
  connectionsPerAddress: 2000,
  exempts: isLoopback,
  handshakeMs: 10_000,
};

/** Accepts TLS connections, and passes their bytes on to the process's own HTTP server on loopback, each over a connection of its own.
 *  Bun's server cannot change its certificate while it runs, and does not show a client's certificate to handlers; node:tls can both.
 *  The address and the port of the inner connection tell the HTTP server who the client is. */
export class TlsTerminator implements Peers {
  private readonly peers = new Map<number, Peer>();
  private readonly open = new Set<TLSSocket>();
  /** Closed for their address; their handshake fails, too. */
  private readonly refused = new WeakSet<Socket>();
  private server: Server | undefined;
  private clientCa: string | undefined;

  private readonly limits: TerminatorLimits;
  private readonly ofAddresses: AddressConnections;

  constructor(private readonly options: TlsTerminatorOptions) {
    this.limits = { ...usualLimits, ...options.limits };
    this.ofAddresses = new AddressConnections(this.limits.connectionsPerAddress, this.limits.exempts);
  }

  at(end: InnerEnd | null | undefined): Peer | undefined {
    // another program of this machine can have the same port of 127.0.0.2
    return end?.address === loopback ? this.peers.get(end.port) : undefined;
  }

  /** @returns the port
   *  @throws the error of the system if the port cannot be used */
  async listen({ host, port, innerPort }: TerminatorPlace): Promise<number> {
    const { certificate } = this.options;
    this.clientCa = certificate.current.clientCa;
    const server = createServer(this.contextOf(certificate.current), (socket) => this.relay(socket, innerPort));
    server.maxConnections = this.limits.connections;
    server.on("connection", (socket: Socket) => this.countAddress(socket));
    server.on("tlsClientError", (error, socket) => {
      if (!this.refused.has(socket)) this.options.onFailure(failureOf(error));
      // after its timeout, Bun leaves the socket open
      socket.destroy();
    });
    certificate.onChange((next) => this.replace(server, next));
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => resolve((server.address() as { port: number }).port));
    });
  }

  /** Accepts no more connections; open ones go on until the HTTP server ends them. */
  stopListening(): void {
    this.server?.close();
  }

  /** Ends every connection. */
  destroy(): void {
    this.stopListening();
    for (const socket of this.open) socket.destroy();
  }

  /** Counts a connection before its handshake, or closes it. */
  private countAddress(socket: Socket): void {
    const end = this.ofAddresses.add(socket.remoteAddress);
    if (end !== undefined) return void socket.once("close", end);
    this.options.onFailure("too_many_of_address");
    this.refused.add(socket);
    socket.destroy();
  }

  private contextOf({ cert, key, clientCa }: ServerCertificate): TlsOptions {
    return {
      ...{ cert, key, minVersion: "TLSv1.2", ALPNProtocols: ["http/1.1"], handshakeTimeout: this.limits.handshakeMs },
      ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true }),
      rejectUnauthorized: clientCa !== undefined && this.options.requiresClientCertificate,
    };
  }

  /** Open connections go on, except those whose client's authority may no longer count. */
  private replace(server: Server, certificate: ServerCertificate): void {
    server.setSecureContext(this.contextOf(certificate));
    if (certificate.clientCa === this.clientCa) return;
    this.clientCa = certificate.clientCa;
    for (const socket of this.open) if (peerOf(socket).certificate !== undefined) socket.destroy();
  }

  /** Both ends pause while the other one does not read. When one end closes or fails, so does the other. */
  private relay(outer: TLSSocket, innerPort: number): void {
    const inner = connect({ host: loopback, port: innerPort, noDelay: true });
    outer.setNoDelay(true);
    this.open.add(outer);
    const end = (): void => {
      this.open.delete(outer);
      inner.destroy();
      outer.destroy();
    };
    for (const socket of [outer, inner] as Socket[]) socket.once("error", end).once("close", end);
    const peer = peerOf(outer);
    inner.once("connect", () => {
      const { localPort } = inner;
      if (localPort === undefined || outer.destroyed) return end();
      this.peers.set(localPort, peer);
      inner.once("close", () => this.peers.delete(localPort));
      outer.pipe(inner);
      inner.pipe(outer);
    });
  }
}

/** Source: https://boringssl.googlesource.com/boringssl/+/refs/heads/main/crypto/err/ssl.errordata */
function failureOf({ message }: Error): HandshakeFailure {
  if (/HTTP_REQUEST/.test(message)) return "plain_http";
  if (/UNSUPPORTED_PROTOCOL|WRONG_VERSION|INAPPROPRIATE_FALLBACK/.test(message)) return "version";
  if (/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE)/.test(message)) return "refused_by_client";
  if (/PEER_DID_NOT_RETURN|CERTIFICATE_VERIFY_FAILED|self.signed|unable to (?:get|verify)/i.test(message))
    return "client_certificate";
  if (/hang up|ECONNRESET|timeout/i.test(message)) return "left";
  return "other";
}
