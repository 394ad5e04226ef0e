import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { metricNames, metrics } from "../../../src/domain/metrics.ts";
import { LiveClient, type LiveGateway, openLiveGateway } from "./live-gateway.ts";

let gateway: LiveGateway;

beforeAll(async () => void (gateway = await openLiveGateway({ settings: { wsMaxSubscriptions: 3 } })));
afterAll(() => gateway.close());

const allMetrics = metricNames.join(", ");

/** Messages that are not usable, and their errors. */
const unusable: [name: string, sent: unknown, code: string, message: string][] = [
  [
    "a text that is not JSON",
    "{bad",
    "invalid_json",
    '"{bad" is not JSON; expected a message such as {"type":"subscribe"}',
  ],
  ["a list", "[1]", "invalid_message", '"[1]" is not a JSON object; expected a message such as {"type":"subscribe"}'],
  [
    "no type",
    {},
    "invalid_field",
    "type is missing; expected one of subscribe, unsubscribe, subscribe_faults, unsubscribe_faults, ping",
  ],
  [
    "a wrong type",
    { type: 7 },
    "invalid_field",
    "type=7 is not usable; expected one of subscribe, unsubscribe, subscribe_faults, unsubscribe_faults, ping",
  ],
  [
    "an unknown type",
    { type: "toString" },
    "unknown_type",
    'type="toString" is not usable; expected one of subscribe, unsubscribe, subscribe_faults, unsubscribe_faults, ping',
  ],
  [
    "an unknown field",
    { type: "subscribe", filter: {} },
    "unknown_field",
    'There is no field "filter"; expected one of type, id, topic, filters, snapshot, since',
  ],
  [
    "an unknown filter",
    { type: "subscribe", filters: { gpu: "x" } },
    "unknown_field",
    'There is no field "filters.gpu"; expected one of gpu_uuid, gpu_uuids, parent_uuid, hostname, cluster, cluster_id, namespace, metrics',
  ],
  [
    "an unknown metric",
    { type: "subscribe", filters: { metrics: ["temperature", "temprature"] } },
    "invalid_field",
    `filters.metrics[1]="temprature" is not usable: there is no metric "temprature" (did you mean temperature?); a metric outside the catalogue is selected as "temprature{}"; expected one of ${allMetrics}, or a series such as xid_errors{xid="31"}`,
  ],
  [
    "no metrics",
    { type: "subscribe", filters: { metrics: [] } },
    "invalid_field",
    `filters.metrics=[] is not usable; expected a list of 1 to ${metrics.length} elements`,
  ],
  [
    "too many GPUs",
    { type: "subscribe", filters: { gpu_uuids: new Array<string>(1001).fill("g") } },
    "invalid_field",
    expect.stringMatching(
      /^filters\.gpu_uuids=\["g",.{190,}\.\.\. is not usable; expected a list of 1 to 1000 elements$/,
    ),
  ],
  [
    "a wrong topic",
    { type: "subscribe", topic: "alerts" },
    "invalid_field",
    'topic="alerts" is not usable; expected "telemetry"',
  ],
  [
    "filters that are not an object",
    { type: "subscribe", filters: "all" },
    "invalid_field",
    'filters="all" is not usable; expected an object',
  ],
  [
    "a name with NUL, which the store would refuse",
    { type: "subscribe", filters: { gpu_uuids: ["a", "b\0"] }, since: "2025-07-18T20:42:34Z" },
    "invalid_field",
    'filters.gpu_uuids=["a","b\\u0000"] is not usable: it contains the character NUL; expected text without NUL',
  ],
  [
    "a change of faults that is no number",
    { type: "subscribe_faults", since: -1 },
    "invalid_field",
    "since=-1 is not usable; expected a whole number from 0 to 9007199254740991",
  ],
  [
    "a severity that does not exist",
    { type: "subscribe_faults", filters: { severity: ["critical", "awful"] } },
    "invalid_field",
    'filters.severity[1]="awful" is not usable; expected one of info, warning, critical',
  ],
  [
    "a severity that is no list",
    { type: "subscribe_faults", filters: { severity: "critical" } },
    "invalid_field",
    'filters.severity="critical" is not usable; expected a list of 1 to 3 elements',
  ],
  [
    "an unknown filter of faults",
    { type: "subscribe_faults", filters: { host: "x" } },
    "unknown_field",
    'There is no field "filters.host"; expected one of state, severity, name, cluster, cluster_id, hostname, gpu_uuid, namespace, job',
  ],
  [
    "two clusters of faults",
    { type: "subscribe_faults", filters: { cluster: "a", cluster_id: "b" } },
    "invalid_field",
    'filters.cluster_id="b" is not usable; expected the same as filters.cluster ("a"), or only one of the two',
  ],
  [
    "an empty name",
    { type: "subscribe", filters: { hostname: "" } },
    "invalid_field",
    'filters.hostname="" is not usable; expected a text of 1 to 256 characters',
  ],
  [
    "two clusters",
    { type: "subscribe", filters: { cluster: "a", cluster_id: "b" } },
    "invalid_field",
    'filters.cluster_id="b" is not usable; expected the same as filters.cluster ("a"), or only one of the two',
  ],
  [
    "a text that is not an instant",
    { type: "subscribe", since: "2025-07-18 20:42:34" },
    "invalid_field",
    'since="2025-07-18 20:42:34" is not usable: the zone is missing: end it with Z for UTC; expected RFC 3339 with zone, such as 2025-07-18T20:42:34Z, or a time from now, such as -1h, -7d or now',
  ],
  [
    "snapshot together with since",
    { type: "subscribe", since: "2025-07-18T20:42:34Z", snapshot: true },
    "invalid_field",
    "snapshot=true is not usable; expected false, because since is given",
  ],
  [
    "an unknown subscription",
    { type: "unsubscribe", id: "x" },
    "unknown_subscription",
    'No subscription of this connection has id="x"; expected no unsubscribe message, because the connection has no subscription',
  ],
  [
    "bytes",
    new Uint8Array([1, 2, 3]),
    "binary_message",
    "A binary message is not usable; expected a text message with one JSON object",
  ],
  [
    "a text that is too long",
    " ".repeat(262_145),
    "message_too_large",
    "A message of 262145 characters is not usable; expected at most 262144",
  ],
  ["very deep nesting", "[".repeat(200_000), "invalid_json", expect.stringContaining("is not JSON")],
];

describe("a message that is not usable gets an error, and the connection stays open", () => {
  test.each(unusable)("%s", async (_, sent, code, message) => {
    const client = await LiveClient.open(gateway);
    expect(await client.ask(sent)).toMatchObject({ type: "error", code, message });
    expect(await client.ask({ type: "ping" })).toEqual({ type: "pong" });
    client.close();
  });
});

test("an error has the id of the message that caused it", async () => {
  const client = await LiveClient.open(gateway);
  expect(await client.ask({ type: "subscribe", id: "mine", filters: { gpu: 1 } })).toMatchObject({ id: "mine" });
  client.close();
});

test("a subscribe is refused for a used id, for repeated filters without an id, and beyond WS_MAX_SUBSCRIPTIONS", async () => {
  const client = await LiveClient.open(gateway);
  await client.ask({ type: "subscribe", id: "a", filters: { hostname: "h" } });
  expect(await client.ask({ type: "subscribe", id: "a" })).toMatchObject({
    code: "duplicate_id",
    message: 'id="a" is already used; expected an id that no subscription of this connection has',
  });
  await client.ask({ type: "subscribe", filters: { gpu_uuids: ["y", "x"] } });
  expect(await client.ask({ type: "subscribe", filters: { gpu_uuid: "x", gpu_uuids: ["y"] } })).toMatchObject({
    code: "duplicate_subscription",
    message: 'The subscription "1" of this connection has the same filters; expected other filters, or an id',
  });
  await client.ask({ type: "subscribe" });
  expect(await client.ask({ type: "subscribe", id: "b" })).toMatchObject({
    code: "too_many_subscriptions",
    message:
      "This connection has 3 subscriptions, as many as WS_MAX_SUBSCRIPTIONS allows; unsubscribe first, or use one subscription that names several GPUs in gpu_uuids",
  });
  expect(await client.ask({ type: "unsubscribe", id: "b" })).toMatchObject({
    message: 'No subscription of this connection has id="b"; expected one of a, 1, 2',
  });
  client.close();
});

test("a message that is too large for the transport closes the connection with 1009", async () => {
  const client = await LiveClient.open(gateway);
  client.send("x".repeat(1024 * 1024 + 1));
  expect(await client.closed).toMatchObject({ code: 1009 });
  expect(await gateway.instrument("telemetry_websocket_closed_total")).toBeGreaterThan(0);
});

test("a request that is not a WebSocket handshake gets 426; with a parameter, 400; with a wrong method, 405", async () => {
  const url = `http://localhost:${gateway.port}/ws`;
  const response = await fetch(url);
  expect([response.status, response.headers.get("upgrade")]).toEqual([426, "websocket"]);
  expect(await response.json()).toMatchObject({ success: false, error: { code: "upgrade_required" } });
  expect((await fetch(`${url}?token=x`, { headers: { upgrade: "websocket" } })).status).toBe(400);
  expect((await fetch(url, { headers: { upgrade: "websocket" } })).status).toBe(426);
  expect((await fetch(url, { method: "POST" })).status).toBe(405);
});

const oddText = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "\0", "GPU-0"));
const oddFilters = fc.oneof(
  fc.record(
    {
      gpu_uuid: oddText,
      gpu_uuids: fc.array(oddText, { maxLength: 20 }),
      hostname: oddText,
      cluster: oddText,
      cluster_id: oddText,
      namespace: oddText,
      metrics: fc.array(fc.oneof(oddText, fc.constantFrom("temperature", "power_draw")), { maxLength: 5 }),
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
);
const oddMessage = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record(
        {
          type: fc.oneof(fc.constantFrom("subscribe", "unsubscribe", "ping"), oddText),
          id: fc.oneof(fc.constantFrom("1", "2", "a"), oddText, fc.jsonValue()),
          topic: fc.constantFrom("telemetry", "other"),
          filters: oddFilters,
          snapshot: fc.oneof(fc.boolean(), fc.jsonValue()),
          since: fc.oneof(oddText, fc.constantFrom("2025-07-18T20:42:34Z", "1999-01-01T00:00:00Z")),
          more: fc.jsonValue(),
        },
        { requiredKeys: ["type"] },
      )
      // without an id and without a subscription, there is nothing to answer
      .filter(({ type, id }) => type !== "unsubscribe" || id !== undefined)
      .map((message) => JSON.stringify(message)),
  },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: oddText },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }) },
);

test("every message is answered, usable or not, and closed connections leave no subscriptions", async () => {
  const loggedBefore = gateway.logged.length;
  await gateway.publish({ uuid: "GPU-0", timeMs: Date.UTC(2025, 0, 1), metrics: { temperature: 40 } });
  await fc.assert(
    fc.asyncProperty(fc.array(oddMessage, { minLength: 1, maxLength: 30 }), async (messages) => {
      const client = await LiveClient.open(gateway);
      for (const message of messages) {
        const answers = client.messages.length;
        client.send(message);
        await client.until(() => client.messages.length > answers);
      }
      client.close();
      await client.closed;
    }),
    { numRuns: 150 },
  );
  const last = await LiveClient.open(gateway);
  await last.ask({ type: "ping" });
  expect(await gateway.instrument("telemetry_websocket_connections")).toBe(1);
  expect(await gateway.instrument("telemetry_websocket_subscriptions")).toBe(0);
  expect(gateway.logged.slice(loggedBefore)).toEqual([]);
  last.close();
}, 60_000);
