import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { openTlsFront } from "../../src/tls/open-tls-front.ts";
import type { TlsFront } from "../../src/tls/tls-front.ts";
import { type BalancerFacts, openBalancer } from "../scaling/balancer/open-balancer.ts";
import { openssl, TestAuthority } from "./test-authority.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const dir = mkdtempSync(join(tmpdir(), "telemetry-balancer-tls-"));
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => rmSync(dir, { recursive: true }));

describe.skipIf(openssl === null)("the balancer and TLS (needs openssl)", () => {
  const authority = openssl === null ? undefined : TestAuthority.make(dir, "ca");
  const ca = authority?.cert ?? "";
  const [own, client] = ["own", "client"].map((name) => authority?.issue(name));

  /** A gateway with TLS that answers with what it was told of the client. */
  function gateway({ requestsCertificate = false } = {}): string {
    const server = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0 },
      tls: {
        cert: own?.cert ?? "",
        key: own?.key ?? "",
        ...(requestsCertificate ? { ca, requestCert: true, rejectUnauthorized: true } : {}),
      },
      fetch: (request, bunServer) => {
        if (bunServer.upgrade(request, { data: undefined })) return undefined;
        return Response.json(["x-forwarded-for", "x-forwarded-proto"].map((name) => request.headers.get(name)));
      },
      websocket: { open: (socket) => void socket.send("open"), message: () => undefined },
    });
    closing.push(() => server.stop(true));
    return server.url.origin;
  }
  const opened = async (url: string, facts: BalancerFacts = {}) => {
    const balancer = await openBalancer([url], facts);
    closing.push(() => balancer.stop());
    return balancer;
  };
  const front = (): TlsFront =>
    openTlsFront({
      files: { certFile: own?.certFile ?? "", keyFile: own?.keyFile ?? "", clientCaFile: undefined },
      ...{ requiresClientCertificate: false, host: "127.0.0.1", port: 0, redirects: undefined, shownPort: undefined },
      ...{ hstsSeconds: 0, onFailure: () => undefined, clock, log: unshownLog() },
    });

  test("checks a gateway's certificate: without its authority it gets no requests, and the status says why", async () => {
    const trusting = await opened(gateway(), { backendTls: { ca } });
    expect(await (await fetch(trusting.url)).json()).toEqual(["127.0.0.1", "http"]);
    const { url, backends } = await opened(gateway(), { ready: 0 });
    await until(() => backends.list()[0]?.problem !== undefined);
    expect((await fetch(url)).status).toBe(503);
    const { backends: shown } = (await (await fetch(`${url}/balancer/status`)).json()) as { backends: object[] };
    expect(shown).toEqual([
      expect.objectContaining({ state: "DOWN", problem: expect.stringContaining("certificate") as string }),
    ]);
  });

  test("shows its own certificate to a gateway that requires one", async () => {
    const { cert = "", key = "" } = client ?? {};
    const url = gateway({ requestsCertificate: true });
    const balancer = await opened(url, { backendTls: { ca, cert, key } });
    expect((await fetch(balancer.url)).status).toBe(200);
  });

  test("serves TLS itself, and tells gateways so and who the client is", async () => {
    const balancer = await opened(gateway(), { backendTls: { ca }, tls: front() });
    expect(balancer.url).toStartWith("https://127.0.0.1:");
    const asked = await fetch(balancer.url, { tls: { ca }, headers: { "x-forwarded-for": "10.0.0.9" } });
    expect(await asked.json()).toEqual(["10.0.0.9, 127.0.0.1", "https"]);
    const socket = new WebSocket(`${balancer.url.replace("https", "wss")}/ws`, { tls: { ca } });
    closing.push(() => socket.close());
    expect(await new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)))).toBe("open");
  });
});
