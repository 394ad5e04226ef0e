import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { Elysia } from "elysia";
import { until } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { clientAddress } from "../../src/routes/http/access/client-address.ts";
import { tlsPeers } from "../../src/routes/http/access/tls-peers.ts";
import { answerHeaders } from "../../src/routes/http/door/answer-headers.ts";
import { errorHandling } from "../../src/routes/http/error-handling.ts";
import { TlsCertificate } from "../../src/tls/tls-certificate.ts";
import type { InnerEnd } from "../../src/tls/peer.ts";
import { type TerminatorLimits, TlsTerminator } from "../../src/tls/tls-terminator.ts";
import { openssl, TestAuthority, type TestCertificate } from "./test-authority.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const dir = mkdtempSync(join(tmpdir(), "telemetry-terminator-"));
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => rmSync(dir, { recursive: true }));

interface StartOptions {
  readonly limits?: Partial<TerminatorLimits>;
  readonly clientCaFile?: string;
  readonly requiresClientCertificate?: boolean;
}

describe.skipIf(openssl === null)("TLS in front of the HTTP server (needs openssl)", () => {
  const authority = openssl === null ? undefined : TestAuthority.make(dir, "ca");
  const ca = authority?.cert ?? "";
  const [first, second] = ["first", "second"].map((name) => authority?.issue(name));
  const files = { certFile: join(dir, "live.pem"), keyFile: join(dir, "live-key.pem"), clientCaFile: undefined };
  const put = (of: TestCertificate | undefined): void => {
    writeFileSync(files.certFile, of?.cert ?? "");
    writeFileSync(files.keyFile, of?.key ?? "");
  };

  /** A terminator in front of an HTTP server. */
  async function start(innerPort: number | ((peers: TlsTerminator) => number), options: StartOptions = {}) {
    const { limits, clientCaFile, requiresClientCertificate = false } = options;
    put(first);
    const certificate = new TlsCertificate({
      files: { ...files, clientCaFile },
      clock: systemClock,
      log: unshownLog(),
    });
    await certificate.start();
    const failures: string[] = [];
    const terminator = new TlsTerminator({
      ...{ certificate, requiresClientCertificate, onFailure: (reason) => failures.push(reason) },
      ...(limits === undefined ? {} : { limits }),
    });
    const inner = typeof innerPort === "number" ? innerPort : innerPort(terminator);
    const port = await terminator.listen({ host: "127.0.0.1", port: 0, innerPort: inner });
    closing.push(() => terminator.destroy());
    return { terminator, certificate, failures, port, url: `https://127.0.0.1:${port}` };
  }

  const served = (fetch: (request: Request, server: Bun.Server<undefined>) => Response | Promise<Response>): number => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
    closing.push(() => server.stop(true));
    return server.port ?? 0;
  };
  const connected = (port: number, more: ConnectionOptions = {}): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host: "127.0.0.1", port, ca, servername: "localhost", ...more }, () =>
        resolve(socket),
      );
      socket.once("error", reject);
      closing.push(() => socket.destroy());
    });
  const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const answerOn = (socket: TLSSocket): Promise<string> =>
    new Promise((resolve) => {
      socket.once("data", (data: Buffer) => resolve(data.toString()));
      socket.write(request);
    });
  const nameOf = (socket: TLSSocket): unknown => socket.getPeerCertificate().subject.CN;

  test("a new certificate is for new connections; one that is open goes on", async () => {
    const { certificate, port } = await start(served(() => new Response("hello")));
    const open = await connected(port);
    expect(await answerOn(open)).toContain("hello");
    put(second);
    await certificate.refresh();
    expect([nameOf(open), nameOf(await connected(port))]).toEqual(["first", "second"]);
    expect(await answerOn(open)).toContain("hello");
  });

  test("TLS 1.1, HTTP without TLS and a client that never finishes its handshake get no connection", async () => {
    const limits = { connections: 100, handshakeMs: 200 };
    const { port, failures } = await start(
      served(() => new Response("hello")),
      { limits },
    );
    const old = connected(port, { minVersion: "TLSv1", maxVersion: "TLSv1.1" });
    expect(await old.then(nameOf, () => "refused")).toBe("refused");
    const plain = connect(port, "127.0.0.1").on("error", () => undefined);
    plain.write(request);
    const silent = connect(port, "127.0.0.1").on("error", () => undefined);
    await Promise.all(
      [plain, silent].map((socket) => new Promise((resolve) => socket.once("close", resolve).resume())),
    );
    expect(failures.toSorted()).toEqual(["left", "plain_http", "version"]);
  });

  test("connections above the limit are closed, and those within it are served", async () => {
    const { port } = await start(
      served(() => new Response("hello")),
      { limits: { connections: 1, handshakeMs: 10_000 } },
    );
    const within = await connected(port);
    expect(await connected(port).then(nameOf, () => "refused")).toBe("refused");
    expect(await answerOn(within)).toContain("hello");
  });

  test("connections of one address above its limit are closed, even unfinished ones, until others of it end", async () => {
    const { failures, port, url } = await start(
      served(() => new Response("yes")),
      { limits: { connectionsPerAddress: 2, exempts: () => false } },
    );
    const first = await connected(port);
    const silent = connect({ host: "127.0.0.1", port });
    closing.push(() => silent.destroy());
    await new Promise((resolve) => silent.once("connect", resolve));
    const third = connect({ host: "127.0.0.1", port });
    await new Promise((resolve) => third.once("close", resolve));
    expect(failures).toEqual(["too_many_of_address"]);
    first.destroy();
    silent.destroy();
    await until(() =>
      fetch(url, { tls: { ca }, keepalive: false }).then(
        (answer) => answer.ok,
        () => false,
      ),
    );
  });

  test("loopback may have any number of connections", async () => {
    const { port } = await start(
      served(() => new Response("yes")),
      { limits: { connectionsPerAddress: 1 } },
    );
    await Promise.all([connected(port), connected(port), connected(port)]);
  });

  test("a client that reads nothing holds back the answer, not the process's memory", async () => {
    let sent = 0;
    const chunk = new Uint8Array(1024 * 1024);
    const endless = new ReadableStream({
      pull(controller) {
        sent += 1;
        controller.enqueue(chunk);
      },
    });
    const { port } = await start(served(() => new Response(endless)));
    const socket = await connected(port);
    socket.pause();
    socket.write(request);
    await until(() => sent > 0);
    let before = -1;
    await until(
      () => {
        const isStill = before === sent;
        before = sent;
        return isStill;
      },
      { everyMs: 200 },
    );
    // what the kernel and the two ends hold
    expect(sent).toBeLessThan(64);
  });

  test("a client that leaves ends its request", async () => {
    const left = Promise.withResolvers<string>();
    const began = Promise.withResolvers<undefined>();
    const inner = served(({ signal }) => {
      signal.addEventListener("abort", () => left.resolve("left"));
      began.resolve(undefined);
      return new Promise<Response>(() => undefined);
    });
    const { port } = await start(inner);
    const socket = await connected(port);
    socket.write(request);
    await began.promise;
    socket.destroy();
    expect(await left.promise).toBe("left");
  });

  test("a client without a certificate gets no connection where one is required", async () => {
    const options = { clientCaFile: authority?.certFile ?? "", requiresClientCertificate: true };
    const { port, failures } = await start(
      served(() => new Response("hello")),
      options,
    );
    const { cert = "", key = "" } = second ?? {};
    expect(await answerOn(await connected(port, { cert, key }))).toContain("hello");
    // with TLS 1.3, the client learns it after its handshake
    const socket = await connected(port).catch(() => undefined);
    if (socket !== undefined) await new Promise((resolve) => socket.once("close", resolve).on("error", resolve));
    expect(failures).toEqual(["client_certificate"]);
  });

  test("when the authority of client certificates is replaced, no connection and no session of the old one counts", async () => {
    const clientCaFile = join(dir, "clients.pem");
    writeFileSync(clientCaFile, ca);
    const seen: unknown[] = [];
    const { port, certificate } = await start(
      (peers) => {
        const answer = (request: Request, server: Bun.Server<undefined>): Response => {
          const found = peers.at(server.requestIP(request))?.certificate;
          seen.push(typeof found === "object" ? found.names[0] : found);
          return new Response("hello");
        };
        const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
        closing.push(() => server.stop(true));
        return server.port ?? 0;
      },
      { clientCaFile },
    );
    const { cert = "", key = "" } = second ?? {};
    const sessions: Buffer[] = [];
    const withCertificate = await connected(port, { cert, key });
    withCertificate.on("session", (session: Buffer) => sessions.push(session));
    await answerOn(withCertificate);
    const without = await connected(port);
    await answerOn(without);
    const ended = new Promise((resolve) => withCertificate.once("close", resolve));
    writeFileSync(clientCaFile, TestAuthority.make(dir, "other").cert);
    await certificate.refresh();
    await ended;
    await answerOn(without);
    const [session] = sessions;
    if (session === undefined) throw new Error("the server offered no session");
    await answerOn(await connected(port, { cert, key, session }));
    expect(seen).toEqual(["CN=second", undefined, undefined, "SELF_SIGNED_CERT_IN_CHAIN"]);
  });

  test("the HTTP server sees the client's address, and refuses everyone who finds its own port", async () => {
    let innerPort = 0;
    const { url } = await start((peers) => {
      const app = new Elysia()
        .use(errorHandling({ routes: () => [], log: unshownLog() }))
        .use(answerHeaders({ variesByOrigin: false, hstsSeconds: 60 }))
        .use(tlsPeers(peers))
        .get("/", ({ request, server }) => clientAddress(request, server, false))
        .ws("/ws", { open: (socket) => void socket.send("open") })
        .listen({ hostname: "127.0.0.1", port: 0, reusePort: false });
      closing.push(() => app.stop(true));
      innerPort = app.server?.port ?? 0;
      return innerPort;
    });
    const asked = (host: string) => fetch(url, { headers: { host }, tls: { ca } });
    expect(await (await asked("127.0.0.1")).text()).toBe("127.0.0.1");
    const hsts = async (host: string) => (await asked(host)).headers.get("strict-transport-security");
    expect(await Promise.all(["gpus.example.org", "localhost:8443"].map(hsts))).toEqual(["max-age=60", null]);
    const direct = await fetch(`http://127.0.0.1:${innerPort}/`);
    expect([direct.status, await direct.json()]).toMatchObject([403, { error: { code: "tls_required" } }]);
    const socket = new WebSocket(`${url.replace("https", "wss")}/ws`, { tls: { ca } });
    closing.push(() => socket.close());
    expect(await new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)))).toBe("open");
  });

  test("a program at another address of this machine, with the port of a client's inner connection, is not that client", async () => {
    let innerEnd: InnerEnd | null = null;
    const inner = served((request, server) => {
      innerEnd = server.requestIP(request);
      return new Response("hello");
    });
    const { terminator, port } = await start(inner);
    await answerOn(await connected(port));
    const ofClient = (innerEnd as InnerEnd | null)?.port ?? 0;
    const addressOf = (address: string): unknown => terminator.at({ address, port: ofClient })?.address;
    expect(["127.0.0.1", "127.0.0.2"].map(addressOf)).toEqual(["127.0.0.1", undefined]);
  });
});
