import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { until } from "../../../dev/until.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { MemoryHotTier } from "../../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { FleetProjection } from "../../../src/routes/fleet/fleet-projection.ts";
import { FleetStates } from "../../../src/routes/fleet/fleet-states.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { type LiveGateway, openLiveGateway } from "../live/live-gateway.ts";
import { arbitraryQuery } from "./arbitrary-operation.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let fleet: FleetProjection;
let gateway: TestGateway;
let live: LiveGateway;
beforeAll(async () => {
  stored = await openFleetStore();
  const parts = { store: stored.queries.fleet, clock: systemClock, log: unshownLog() };
  fleet = new FleetProjection({ ...parts, hotTier: new MemoryHotTier({ onCoalesced: () => undefined }) });
  await fleet.start();
  await new FleetStates({ ...parts, fleet }).check();
  gateway = gatewayOver(stored, { fleet });
  live = await openLiveGateway();
});
afterAll(async () => {
  await live.close();
  await fleet.stop(AbortSignal.abort());
  await stored.close();
});

/** Codes of errors in operations that the schema allows. */
const argumentErrors = ["BAD_USER_INPUT", "NOT_FOUND", "OPERATION_TOO_LARGE", "QUERY_TOO_COSTLY"];

test("every query that the schema allows gets data, or an error about its arguments", async () => {
  const seen = { answered: 0, refused: 0 };
  const property = fc.asyncProperty(arbitraryQuery, async (query) => {
    const headers = { "content-type": "application/json" };
    const response = await gateway.get("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) });
    const { data, errors } = (await response.json()) as {
      data?: unknown;
      errors?: { message: string; extensions: { code: string } }[];
    };
    expect(response.status).toBe(200);
    if (errors === undefined) expect(data).toBeObject();
    for (const { message, extensions } of errors ?? []) {
      expect([query, message, argumentErrors.includes(extensions.code)]).toEqual([query, message, true]);
    }
    seen[errors === undefined ? "answered" : "refused"] += 1;
  });
  await fc.assert(property, { numRuns: 500 });
  expect(seen.answered).toBeGreaterThan(50);
  expect(seen.refused).toBeGreaterThan(50);
  expect(gateway.logged.filter((line) => line.includes('"level":50'))).toEqual([]);
}, 120_000);

const anyMessage = fc.oneof(
  fc.string(),
  fc.uint8Array(),
  fc.json(),
  fc
    .record(
      {
        type: fc.constantFrom("connection_init", "subscribe", "complete", "ping", "pong", "next", "start", "warmth"),
        id: fc.oneof(fc.string(), fc.integer()),
        payload: fc.oneof(
          fc.record({ query: fc.oneof(fc.string(), arbitraryQuery), variables: fc.jsonValue() }, { requiredKeys: [] }),
          fc.jsonValue(),
        ),
      },
      { requiredKeys: [] },
    )
    .map((message) => JSON.stringify(message)),
);

test("every message over a WebSocket is answered, or closes the connection with a code of the protocol", async () => {
  const property = fc.asyncProperty(fc.array(anyMessage, { maxLength: 8 }), fc.boolean(), async (messages, inits) => {
    const socket = new WebSocket(`ws://127.0.0.1:${live.port}/graphql`, "graphql-transport-ws");
    const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
    const ponged = new Promise<string>((resolve) => {
      socket.onmessage = ({ data }) => {
        const { type, payload } = JSON.parse(data as string) as { type: string; payload?: { last?: true } };
        if (type === "pong" && payload?.last) resolve("pong");
      };
    });
    await new Promise((resolve) => (socket.onopen = resolve));
    if (inits) socket.send('{"type":"connection_init"}');
    for (const message of messages) socket.send(message);
    socket.send('{"type":"ping","payload":{"last":true}}');
    const end = await Promise.race([closed, ponged]);
    expect([end, ["pong", 4400, 4401, 4409, 4429].includes(end)]).toEqual([end, true]);
    socket.close();
    await closed;
  });
  await fc.assert(property, { numRuns: 200 });
  await until(async () => (await live.instrument("telemetry_graphql_connections")) === 0);
  expect(await live.instrument("telemetry_graphql_subscriptions")).toBe(0);
}, 120_000);
