import { afterAll, beforeAll, expect, test } from "bun:test";
import { freePorts } from "../../../dev/servers/free-ports.ts";
import { TestProvider } from "../../support/openid-provider.ts";
import { gatewayOver, openFleetStore } from "../gateway.ts";
import { startPeopleGateway, TestMapping } from "./people-gateway.ts";
import { securedParts } from "./secured-gateway.ts";

// What an address may cost a process without a valid key.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => void (stored = await openFleetStore()));
afterAll(() => stored.close());

const http = { rateLimitPerSecond: 0, trustsForwardedFor: true, corsOrigins: undefined };
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

test("requests without a valid key count for their address; its valid keys, other addresses and probes do not", async () => {
  const { parts, create } = securedParts(stored);
  const gateway = gatewayOver(stored, { ...parts, http, unauthenticatedPerSecond: 3 });
  const key = await create("read");
  const statuses = async (headers: Record<string, string>, { path = "/api/v1/gpus", address = "10.0.0.7" } = {}) => {
    const all = { ...headers, "x-forwarded-for": address };
    const answers = await Promise.all(Array.from({ length: 4 }, () => gateway.get(path, { headers: all })));
    return answers.map(({ status }) => status);
  };
  expect(await statuses(bearer("gtp_x_made-up"))).toEqual([401, 401, 401, 429]);
  expect(await statuses(bearer("a.b.c"), { path: "/metrics" })).toEqual([429, 429, 429, 429]);
  expect(await statuses({})).toEqual([429, 429, 429, 429]);
  expect(await statuses(key.headers)).toEqual([200, 200, 200, 200]);
  expect(await statuses({}, { path: "/health/live" })).toEqual([200, 200, 200, 200]);
  expect(await statuses({}, { address: "10.0.0.8" })).toEqual([401, 401, 401, 429]);
  const refused = await gateway.get("/api/v1/gpus", { headers: { "x-forwarded-for": "10.0.0.7" } });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await refused.json()).toMatchObject({
    error: { code: "too_many_requests", details: { client: "10.0.0.7", per_second: 3, retry_after_seconds: 1 } },
  });
});

test("where no key is required, nothing counts as unauthenticated", async () => {
  const gateway = gatewayOver(stored, { http, unauthenticatedPerSecond: 1 });
  const answers = await Promise.all([1, 2, 3].map(() => gateway.get("/api/v1/gpus", { headers: bearer("made-up") })));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test("a ticket counts as ten requests of its key", async () => {
  const { parts, create } = securedParts(stored);
  const gateway = gatewayOver(stored, { ...parts, http: { ...http, rateLimitPerSecond: 25 } });
  const [one, other] = [await create("read"), await create("read")];
  const tickets = (key: typeof one) => gateway.get("/api/v1/tickets", { method: "POST", headers: key.headers });
  const answers = [await tickets(one), await tickets(one), await tickets(one), await tickets(other)];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 200]);
});

test("an address has few tokens checked and few sign-ins ended; a token that was checked is not refused", async () => {
  const [port = 0] = await freePorts(1);
  const [mapping, provider] = await Promise.all([
    TestMapping.make([{ groups: ["readers"], scopes: ["read"] }]),
    TestProvider.start({ gateways: [], people: {} }),
  ]);
  const gateway = await startPeopleGateway({ stored, provider, mapping, port, unauthenticatedPerSecond: 11 });
  const ask = async (path: string, token?: string): Promise<number> => {
    const headers = token === undefined ? {} : bearer(token);
    return (await fetch(`${gateway.url}${path}`, { headers, redirect: "manual" })).status;
  };
  const token = await provider.sign();
  expect(await ask("/api/v1/me", token)).toBe(200);
  expect(await ask("/sign-in/callback?state=made-up")).toBe(400);
  expect(await ask("/sign-in/callback?state=made-up")).toBe(429);
  expect(await ask("/sign-in/provider")).toBe(429);
  expect(await ask("/api/v1/me", await provider.sign({ sub: "bob" }))).toBe(429);
  expect(await ask("/api/v1/me", token)).toBe(200);
  await Promise.all([gateway.stop(), provider.stop()]);
  await mapping.remove();
});
