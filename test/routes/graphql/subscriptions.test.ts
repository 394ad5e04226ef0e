import { afterAll, beforeAll, expect, test } from "bun:test";
import { createClient } from "graphql-ws";
import { Admission } from "../../../src/routes/graphql-kit/live/admission.ts";
import { liveRecords } from "../../../src/routes/graphql-kit/live/live-records.ts";
import { LiveFeed } from "../../../src/routes/live/live-feed.ts";
import { until } from "../../../dev/until.ts";
import { type LiveGateway, openLiveGateway } from "../live/live-gateway.ts";

let gateway: LiveGateway;
beforeAll(async () => void (gateway = await openLiveGateway()));
afterAll(() => gateway.close());

const at = (second: number): number => Date.UTC(2025, 6, 18) + second * 1000;
const record = (uuid: string, second: number) => ({ uuid, timeMs: at(second), metrics: { temperature: second } });
const query = 'subscription { telemetry(gpuUuids: ["GPU-a"]) { uuid temperature } }';

/** Collects what a subscription tells by WebSocket. */
function subscribed(text: string) {
  const client = createClient({
    url: `ws://127.0.0.1:${gateway.port}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const told: unknown[] = [];
  const ended = new Promise<unknown>((resolve) => {
    client.subscribe(
      { query: text },
      { next: (value) => void told.push(value), error: resolve, complete: () => resolve("complete") },
    );
  });
  return { client, told, ended };
}

test("by WebSocket: newest records of those that are asked for, as they come", async () => {
  const { client, told } = subscribed(query);
  let second = 0;
  await until(async () => {
    second += 1;
    await gateway.tell(record("GPU-a", second), record("GPU-b", second));
    return told.length > 0;
  });
  const last = second + 1;
  await gateway.tell(record("GPU-a", last));
  await until(() => JSON.stringify(told.at(-1)).includes(`:${last}}`));
  for (const each of told) expect(each).toMatchObject({ data: { telemetry: { uuid: "GPU-a" } } });
  expect(told.at(-1)).toEqual({ data: { telemetry: { uuid: "GPU-a", temperature: last } } });
  await client.dispose();
});

test("by WebSocket: queries too, and what is wrong is said", async () => {
  const { client, told, ended } = subscribed("{ gpus(limit: 0) { uuid } }");
  await ended;
  expect(JSON.stringify(told)).toContain("BAD_USER_INPUT");
  await client.dispose();
  const wrong = subscribed("subscription { warmth }");
  expect(JSON.stringify(await wrong.ended)).toContain("GRAPHQL_VALIDATION_FAILED");
  await wrong.client.dispose();
});

test("by WebSocket: an operation that cannot be read ends alone, the others of its connection go on", async () => {
  const { client, told } = subscribed(query);
  const faults: unknown[] = [];
  for (const wrong of ["subscription {", "{ gpus { warmth } }", "query A { __typename } query B { __typename }"]) {
    await new Promise<void>((resolve) => {
      const error = (fault: unknown): void => {
        faults.push(fault);
        resolve();
      };
      client.subscribe({ query: wrong }, { next: () => undefined, error, complete: resolve });
    });
  }
  expect(faults).toMatchObject([
    [{ extensions: { code: "GRAPHQL_PARSE_FAILED" } }],
    [{ extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }],
    [{ extensions: { code: "OPERATION_RESOLUTION_FAILURE" } }],
  ]);
  expect(JSON.stringify(faults)).not.toContain('"http"');
  let second = 2000;
  await until(async () => {
    second += 1;
    await gateway.tell(record("GPU-a", second));
    return told.length > 0;
  });
  await client.dispose();
});

test("as events over HTTP", async () => {
  const abort = new AbortController();
  const response = await fetch(`http://127.0.0.1:${gateway.port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ query: query.replace("GPU-a", "GPU-c") }),
    signal: abort.signal,
  });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  const reading = (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read())
      text += new TextDecoder().decode(part.value);
  })().catch(() => undefined);
  let second = 0;
  await until(async () => {
    second += 1;
    await gateway.tell(record("GPU-c", second));
    return text.includes('"uuid":"GPU-c","temperature"');
  });
  expect(text).toContain("event: next");
  abort.abort();
  await reading;
});

test("of what comes faster than it is read, the newest of each GPU is told", async () => {
  const feed = new LiveFeed(gateway.fleet);
  const records = liveRecords(feed, { uuids: ["GPU-s", "GPU-t"] });
  for (let second = 1; second <= 1000; second += 1) await gateway.tell(record("GPU-s", second));
  await gateway.tell(record("GPU-t", 1));
  expect((await records.next()).value).toMatchObject({ gpu: { uuid: "GPU-s" }, timeMs: at(1000) });
  expect((await records.next()).value).toMatchObject({ gpu: { uuid: "GPU-t" }, timeMs: at(1) });
  const waiting = records.next();
  await records.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test("there is room for so many, and for the next when one has ended", () => {
  const stopping = new AbortController();
  const admission = new Admission(1, stopping.signal);
  const feed = new LiveFeed(gateway.fleet);
  const first = admission.admit(liveRecords(feed, {}));
  expect(() => admission.admit(liveRecords(feed, {}))).toThrow("as many as this gateway takes");
  void first.return?.();
  void admission.admit(liveRecords(feed, {})).return?.();
  stopping.abort();
  expect(() => admission.admit(liveRecords(feed, {}))).toThrow("stopping");
});

test("a gateway that stops sends its clients elsewhere", async () => {
  const own = await openLiveGateway();
  const socket = new WebSocket(`ws://127.0.0.1:${own.port}/graphql`, "graphql-transport-ws");
  await new Promise((resolve) => (socket.onopen = resolve));
  const closed = new Promise<CloseEvent>((resolve) => (socket.onclose = resolve));
  own.stopping.abort();
  expect((await closed).code).toBe(1012);
  await own.close();
});
