import { afterAll, beforeAll, expect, test } from "bun:test";
import { HostNames } from "../../../src/kit/host-names.ts";
import { type OpenBalancer, openBalancer } from "../../scaling/balancer/open-balancer.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { listening } from "../../support/listening.ts";

// A gateway behind the balancer sees the Host and the Origin that the balancer's client has sent.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let balancer: OpenBalancer;
beforeAll(async () => {
  stored = await openFleetStore();
  const hosts = new HostNames({ listensOn: "127.0.0.1", own: [], allowed: ["gpus.example"] });
  gateway = gatewayOver(stored, { door: { hosts, corsOrigins: undefined } });
  balancer = await openBalancer([`http://127.0.0.1:${await listening(gateway)}`]);
});
afterAll(async () => {
  await balancer.stop();
  await gateway.app.stop(true);
  await stored.close();
});

const ask = async (path: string, headers: Record<string, string>, method = "GET") =>
  (await fetch(`${balancer.url}${path}`, { method, headers })).status;

/** How the handshake of a WebSocket ends. */
function handshake(path: string, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(`${balancer.url.replace("http", "ws")}${path}`, { headers });
  return new Promise((resolve) => {
    socket.onopen = () => {
      socket.close();
      resolve("open");
    };
    socket.onclose = () => resolve("refused");
  });
}

test("a name that ALLOWED_HOSTS of the gateway lists is answered, another one is not", async () => {
  expect(await ask("/api/v1/gpus", {})).toBe(200);
  expect(await ask("/api/v1/gpus", { host: "gpus.example" })).toBe(200);
  expect(await ask("/api/v1/gpus", { host: "evil.example" })).toBe(421);
  expect(await ask("/balancer/status", { host: "evil.example" })).toBe(421);
  expect(await ask("/balancer/status", {})).toBe(200);
});

test("a page of the balancer's own name may change and open sockets, another page may not", async () => {
  const path = "/api/v1/pipeline/dead-letters/none";
  for (const [origin, status, socket] of [
    ["https://gpus.example", 404, "open"],
    ["https://evil.example", 403, "refused"],
  ] as const) {
    const headers = { host: "gpus.example", origin };
    expect([origin, await ask(path, headers, "DELETE")]).toEqual([origin, status]);
    expect([origin, await handshake("/ws", headers)]).toEqual([origin, socket]);
  }
});

test("a client of HEAD gets no length that the gateway has not counted", async () => {
  const answer = await fetch(`${balancer.url}/api/v1/telemetry`, { method: "HEAD", headers: { accept: "text/csv" } });
  expect([answer.status, answer.headers.get("content-length")]).toEqual([200, null]);
});
