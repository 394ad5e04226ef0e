import { afterAll, beforeAll, expect, test } from "bun:test";
import { serverAudits } from "graphql-http";
import { until } from "../../../dev/until.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { type LiveGateway, openLiveGateway } from "../live/live-gateway.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let live: LiveGateway;
beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored);
  live = await openLiveGateway();
});
afterAll(async () => {
  await live.close();
  await stored.close();
});

const post = (content: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  gateway.get("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof content === "string" ? content : JSON.stringify(content),
  });

test("the audits of GraphQL over HTTP hold", async () => {
  const fetchFn = (url: string, init?: RequestInit) => gateway.app.handle(new Request(url, init));
  const audits = serverAudits({ url: "http://localhost/graphql", fetchFn });
  const results = await Promise.all(audits.map((audit) => audit.fn()));
  expect(results.length).toBeGreaterThanOrEqual(61);
  expect(results.filter(({ status }) => status !== "ok").map(({ name }) => name)).toEqual([]);
});

test("an empty operationName chooses the only operation, over HTTP and over a socket", async () => {
  for (const query of ["{ __typename }", "query A { __typename }"]) {
    expect(await (await post({ query, operationName: "" })).json()).toEqual({ data: { __typename: "Query" } });
  }
  const two = await post({ query: "query A { __typename } query B { __typename }", operationName: "" });
  expect(await two.json()).toMatchObject({ errors: [{ extensions: { code: "OPERATION_RESOLUTION_FAILURE" } }] });
  const socket = new WebSocket(`ws://127.0.0.1:${live.port}/graphql`, ["graphql-transport-ws"]);
  const payload = { query: "{ __typename }", operationName: "" };
  const answer = new Promise<string>((resolve) => {
    socket.onopen = () => socket.send('{"type":"connection_init"}');
    socket.onmessage = ({ data }) => {
      if (String(data).includes("connection_ack")) socket.send(JSON.stringify({ type: "subscribe", id: "1", payload }));
      else resolve(String(data));
    };
  });
  expect(await answer).toContain('"__typename":"Query"');
  socket.close();
});

test("a content-type in capitals, with blanks and parameters, is that of JSON", async () => {
  for (const type of ["Application/JSON", "application/json ;charset=utf-8", 'APPLICATION/JSON; charset="UTF-8"']) {
    const answer = await post({ query: "{ __typename }" }, { "content-type": type });
    expect([type, answer.status, await answer.text()]).toEqual([type, 200, '{"data":{"__typename":"Query"}}']);
  }
});

test.each([
  ["*/*;q=0.5", "application/json"],
  ["application/json;q=0, */*", "application/graphql-response+json"],
  ["application/json;q=0.1, application/graphql-response+json", "application/graphql-response+json"],
  ["application/graphql-response+json ; Q=0, application/json", "application/json"],
  ["application/json;charset=latin1", "application/json"],
  ["text/html;q=0, application/json", "application/json"],
  ["application/json;q=0", undefined],
  ["image/png;q=0.5, application/json;q=0.000", undefined],
])("Accept: %s is answered as %s", async (accept, type) => {
  const answer = await gateway.get("/graphql?query={__typename}", { headers: { accept } });
  const expected = type === undefined ? 406 : 200;
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    expected,
    expect.stringContaining(type ?? "application/json") as string,
  ]);
  expect(await answer.text()).toContain(type === undefined ? "The Accept header allows no format" : '"__typename"');
});

test("every refusal is JSON with errors and says why", async () => {
  const refusals: readonly (readonly [number, Promise<Response>])[] = [
    [406, post({ query: "{ __typename }" }, { accept: "image/png" })],
    [406, gateway.get("/graphql?query={__typename}", { headers: { accept: "text/csv" } })],
    [406, post({ query: "subscription { telemetry { uuid } }" }, { accept: "application/json" })],
    [415, post("{ __typename }", { "content-type": "text/plain" })],
    [400, post("{")],
    [400, post("[]")],
    [400, post({ query: "{" }, { accept: "application/graphql-response+json" })],
  ];
  for (const [status, asked] of refusals) {
    const answer = await asked;
    const { errors } = (await answer.json()) as { errors: { message: string; extensions: { code: string } }[] };
    expect([answer.status, typeof errors[0]?.message, typeof errors[0]?.extensions.code]).toEqual([
      status,
      "string",
      "string",
    ]);
  }
});

let second = 0;

/** True if a text ends with a result. */
const isWhole = (text: string): boolean => text.includes('"temperature":42') && /(?:\r\n--graphql|\n\n)$/.test(text);

/** Subscribes over HTTP. @returns the answer, and its text until it has a record */
async function subscribed(accept: string): Promise<readonly [Response, string]> {
  const ended = new AbortController();
  const query = 'subscription { telemetry(hostname: "host-a") { uuid temperature } }';
  const answer = await fetch(`http://127.0.0.1:${live.port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept },
    body: JSON.stringify({ query }),
    signal: ended.signal,
  });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  const reading = (async () => {
    while (!isWhole(text)) text += new TextDecoder().decode((await reader.read()).value);
  })();
  await until(async () => {
    second += 1;
    await live.publish({ uuid: "GPU-a", timeMs: Date.UTC(2025, 6, 18) + second * 1000, metrics: { temperature: 42 } });
    return isWhole(text);
  });
  await reading;
  ended.abort();
  return [answer, text];
}

test("subscriptions over HTTP arrive in parts, in Apollo's form and plain, and as events", async () => {
  const [apollo, payload] = await subscribed(
    'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json',
  );
  expect(apollo.headers.get("content-type")).toBe('multipart/mixed; boundary="graphql"; subscriptionSpec=1.0');
  expect(payload).toMatch(
    /^--graphql\r\ncontent-type: application\/json\r\n\r\n\{"payload":\{"data":\{"telemetry":.*\r\n--graphql$/s,
  );
  const [plain, parts] = await subscribed("multipart/mixed");
  expect(plain.headers.get("content-type")).toBe('multipart/mixed; boundary="graphql"');
  expect(parts).toContain('\r\n\r\n{"data":{"telemetry":');
  const [events, text] = await subscribed("text/event-stream");
  expect([events.headers.get("content-type"), events.headers.get("content-encoding")]).toEqual([
    "text/event-stream",
    null,
  ]);
  expect(text).toContain('event: next\ndata: {"data":{"telemetry":');
});
