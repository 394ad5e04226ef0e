import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { gatewayOver, openFleetStore } from "./gateway.ts";
import { openLiveGateway } from "./live/live-gateway.ts";
import { listening } from "../support/listening.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => void (stored = await openFleetStore()));
afterAll(() => stored.close());

const http = { rateLimitPerSecond: 0, trustsForwardedFor: false, corsOrigins: undefined };

test("a client over its rate limit gets 429 with Retry-After; other clients and /health are unaffected", async () => {
  const limits = { ...http, rateLimitPerSecond: 3, trustsForwardedFor: true };
  const gateway = gatewayOver(stored, { http: limits });
  const statusesFor = async (client: string, path: string, count: number): Promise<number[]> => {
    const answers = Array.from({ length: count }, () =>
      gateway.get(path, { headers: { "x-forwarded-for": `made-up, ${client}` } }),
    );
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  expect(await statusesFor("10.0.0.7", "/api/v1/gpus", 5)).toEqual([200, 200, 200, 429, 429]);
  expect(await statusesFor("10.0.0.8", "/api/v1/gpus", 2)).toEqual([200, 200]);
  expect(await statusesFor("10.0.0.7", "/health/live", 5)).toEqual([200, 200, 200, 200, 200]);
  const refused = await gateway.get("/api/v1/gpus", { headers: { "x-forwarded-for": "10.0.0.7" } });
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({
    error: { code: "too_many_requests", details: { client: "10.0.0.7", per_second: 3 } },
  });
});

test("unless X-Forwarded-For is trusted, a client is identified by its address alone", async () => {
  const gateway = gatewayOver(stored, { http: { ...http, rateLimitPerSecond: 2 } });
  const port = await listening(gateway);
  const ask = (forwardedFor: string) =>
    fetch(`http://127.0.0.1:${port}/api/v1/clusters`, { headers: { "x-forwarded-for": forwardedFor } });
  const statuses = [await ask("a"), await ask("b"), await ask("c")].map(({ status }) => status);
  await gateway.app.stop(true);
  expect(statuses).toEqual([200, 200, 429]);
});

test("a port, and another address of the same IPv6 network, do not make another client", async () => {
  const limits = { ...http, rateLimitPerSecond: 1, trustsForwardedFor: true };
  for (const addresses of [
    ["1.2.3.4", "1.2.3.4:5678", "1.2.3.4:99", "::ffff:1.2.3.4"],
    ["2001:db8::1", "[2001:db8::2]", "[2001:db8::3]:5678", "2001:DB8:0:0:ffff::9"],
  ]) {
    const gateway = gatewayOver(stored, { http: limits });
    const answers = addresses.map((address) =>
      gateway.get("/api/v1/clusters", { headers: { "x-forwarded-for": address } }),
    );
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 429, 429, 429]);
  }
});

test("behind several proxies, the client is as many addresses from the end as there are proxies", async () => {
  const limits = { ...http, rateLimitPerSecond: 1, trustsForwardedFor: 2 };
  const statusesOf = async (forwarded: readonly string[]): Promise<number[]> => {
    const gateway = gatewayOver(stored, { http: limits });
    const ask = (value: string) => gateway.get("/api/v1/clusters", { headers: { "x-forwarded-for": value } });
    return (await Promise.all(forwarded.map(ask))).map(({ status }) => status);
  };
  const oneClient = [
    "made-up, 10.0.0.7, 192.0.2.1",
    "10.0.0.7:4711,192.0.2.2",
    "10.0.0.7 , [2001:db8::1]:443",
    "10.0.0.7",
  ];
  expect(await statusesOf(oneClient)).toEqual([200, 429, 429, 429]);
  const twoClients = [
    "10.0.0.7, 192.0.2.1",
    "10.0.0.8, 192.0.2.1",
    "[2001:db8::1]:1, 192.0.2.1",
    "2001:db8::2, 192.0.2.1",
  ];
  expect(await statusesOf(twoClients)).toEqual([200, 200, 200, 429]);
});

/** Sends messages over a socket to a gateway that allows one client four requests a second, the upgrade included.
 *  @returns the answers */
async function answersOverSocket(path: string, protocols: string[], messages: readonly object[]): Promise<string[]> {
  const live = await openLiveGateway({ http: { ...http, rateLimitPerSecond: 4 } });
  const socket = new WebSocket(`ws://127.0.0.1:${live.port}${path}`, protocols);
  const received: string[] = [];
  socket.onmessage = ({ data }) => void received.push(String(data));
  await new Promise((resolve) => (socket.onopen = resolve));
  for (const message of messages) socket.send(JSON.stringify(message));
  await until(() => received.filter((text) => !text.includes('"complete"')).length >= messages.length);
  socket.close();
  await live.close();
  return received;
}

test("messages to /ws count like requests", async () => {
  const pings = Array.from({ length: 10 }, (_, id) => ({ type: "ping", id: String(id) }));
  const answers = await answersOverSocket("/ws", [], pings);
  expect(answers.filter((text) => text.includes('"pong"')).length).toBe(3);
  expect(JSON.parse(answers.at(-1) ?? "")).toMatchObject({
    ...{ type: "error", code: "too_many_requests", id: "9" },
    details: { client: "127.0.0.1", per_second: 4, retry_after_seconds: 1 },
  });
});

test("operations over the sockets of /graphql count like requests", async () => {
  const payload = { query: "{ __typename }" };
  const operations = Array.from({ length: 10 }, (_, id) => ({ id: String(id), type: "subscribe", payload }));
  const hello = { type: "connection_init" };
  const answers = await answersOverSocket("/graphql", ["graphql-transport-ws"], [hello, ...operations]);
  expect(answers.filter((text) => text.includes('"__typename"')).length).toBe(3);
  expect(answers.filter((text) => text.includes('"TOO_MANY_REQUESTS"')).length).toBe(7);
});

test("pages of the listed origins may read responses; pages of other origins may not", async () => {
  const gateway = gatewayOver(stored, { http: { ...http, corsOrigins: ["https://dash.example"] } });
  const allowedFor = async (origin: string) =>
    (await gateway.get("/api/v1/gpus", { headers: { origin } })).headers.get("access-control-allow-origin");
  expect(await allowedFor("https://dash.example")).toBe("https://dash.example");
  expect(await allowedFor("https://other.example")).toBeNull();
  const closed = await gatewayOver(stored).get("/api/v1/gpus", { headers: { origin: "https://dash.example" } });
  expect(closed.headers.get("access-control-allow-origin")).toBeNull();
});
