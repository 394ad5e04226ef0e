import { afterAll, beforeAll, expect, test } from "bun:test";
import { gatewayOver, openFleetStore } from "./gateway.ts";

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
  const { app, get } = gatewayOver(stored, { http: { ...http, rateLimitPerSecond: 2 } });
  await get("/health/live");
  app.listen({ port: 0, hostname: "127.0.0.1" });
  const ask = (forwardedFor: string) =>
    fetch(`http://127.0.0.1:${app.server?.port}/api/v1/clusters`, { headers: { "x-forwarded-for": forwardedFor } });
  const statuses = [await ask("a"), await ask("b"), await ask("c")].map(({ status }) => status);
  await app.stop(true);
  expect(statuses).toEqual([200, 200, 429]);
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
