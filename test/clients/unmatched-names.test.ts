import { afterAll, beforeAll, expect, test } from "bun:test";
import { createGatewayClient } from "gpu-telemetry-client";
import { unmatchedNames } from "../../scripts/telemetry/unmatched-names.ts";
import { gatewayOver, openFleetStore } from "../routes/gateway.ts";
import { securedParts } from "../routes/access/secured-gateway.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => void (stored = await openFleetStore()));
afterAll(() => stored.close());

test("the names of a selector that match no part of the fleet are told", async () => {
  const gateway = gatewayOver(stored);
  await gateway.get("/health/live");
  const client = createGatewayClient({ baseUrl: "http://localhost", fetch: (request) => gateway.app.handle(request) });
  const known = { clusters: ["alpha", "beta"], hosts: ["host-a", "host-b"] };
  expect(await unmatchedNames(client, known)).toEqual([]);
  const misspelled = { clusters: ["alfa", "alpha"], hosts: ["host-a", "host\u202e"], namespaces: ["none"] };
  expect(await unmatchedNames(client, misspelled)).toEqual([
    "no cluster alfa is known yet",
    "no host host\\u202e is known yet",
    "the namespace none holds no GPU now",
  ]);
});

test("a key that may not read the fleet creates keys anyway, and is told that the names were not compared", async () => {
  const { parts, create } = securedParts(stored);
  const gateway = gatewayOver(stored, parts);
  const { headers } = await create("admin");
  const client = createGatewayClient({
    baseUrl: "http://localhost",
    headers,
    fetch: (request) => gateway.app.handle(request),
  });
  const [hint = ""] = await unmatchedNames(client, { clusters: ["alpha"] });
  expect(hint).toStartWith("the names of the selector were not compared with the fleet: ");
  expect(hint).toContain("needs read");
});
