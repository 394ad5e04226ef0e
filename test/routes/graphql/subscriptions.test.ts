import { afterAll, beforeAll, expect, test } from "bun:test";
import { createClient } from "graphql-ws";
import { anyone } from "../../../src/access/access.ts";
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

/** Subscribes over a WebSocket, and collects the results. */
function subscribed(text: string) {
  const client = createClient({
    url: `ws://127.0.0.1:${gateway.port}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const received: unknown[] = [];
  const ended = new Promise<unknown>((resolve) => {
    client.subscribe(
      { query: text },
      { next: (value) => void received.push(value), error: resolve, complete: () => resolve("complete") },
    );
  });
  return { client, received, ended };
}

test("over a WebSocket: the newest records of the selected GPUs are sent as they arrive", async () => {
  const { client, received } = subscribed(query);
  let second = 0;
  await until(async () => {
    second += 1;
    await gateway.publish(record("GPU-a", second), record("GPU-b", second));
    return received.length > 0;
  });
  const last = second + 1;
  await gateway.publish(record("GPU-a", last));
  await until(() => JSON.stringify(received.at(-1)).includes(`:${last}}`));
  for (const each of received) expect(each).toMatchObject({ data: { telemetry: { uuid: "GPU-a" } } });
  expect(received.at(-1)).toEqual({ data: { telemetry: { uuid: "GPU-a", temperature: last } } });
  await client.dispose();
});

test("over a WebSocket: parentUuid selects the MIG instances of a GPU, without the GPU and its neighbours", async () => {
  const text =
    'subscription { telemetry(parentUuid: "GPU-m") { uuid parentUuid migInstanceId migProfile temperature } }';
  const { client, received } = subscribed(text);
  let second = 3000;
  await until(async () => {
    second += 1;
    await gateway.publish(
      record("GPU-m", second),
      record("GPU-mm:mig:3:1g.10gb", second),
      record("GPU-m:mig:3:1g.10gb", second),
    );
    return received.length > 1;
  });
  const instance = { uuid: "GPU-m:mig:3:1g.10gb", parentUuid: "GPU-m", migInstanceId: "3", migProfile: "1g.10gb" };
  for (const each of received) expect(each).toMatchObject({ data: { telemetry: instance } });
  await client.dispose();
});

test("over a WebSocket: the errors of queries and subscriptions have codes", async () => {
  const { client, received, ended } = subscribed("{ gpus(limit: 0) { uuid } }");
  await ended;
  expect(JSON.stringify(received)).toContain("BAD_USER_INPUT");
  await client.dispose();
  const wrong = subscribed("subscription { warmth }");
  expect(JSON.stringify(await wrong.ended)).toContain("GRAPHQL_VALIDATION_FAILED");
  await wrong.client.dispose();
});

test("over a WebSocket: an invalid operation gets an error, and the other operations of the connection continue", async () => {
  const { client, received } = subscribed(query);
  const errors: unknown[] = [];
  for (const wrong of ["subscription {", "{ gpus { warmth } }", "query A { __typename } query B { __typename }"]) {
    await new Promise<void>((resolve) => {
      const error = (reason: unknown): void => {
        errors.push(reason);
        resolve();
      };
      client.subscribe({ query: wrong }, { next: () => undefined, error, complete: resolve });
    });
  }
  expect(errors).toMatchObject([
    [{ extensions: { code: "GRAPHQL_PARSE_FAILED" } }],
    [{ extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }],
    [{ extensions: { code: "OPERATION_RESOLUTION_FAILURE" } }],
  ]);
  expect(JSON.stringify(errors)).not.toContain('"http"');
  let second = 2000;
  await until(async () => {
    second += 1;
    await gateway.publish(record("GPU-a", second));
    return received.length > 0;
  });
  await client.dispose();
});

test("over a WebSocket: an operation that is too large gets an error, and the other operations of the connection continue", async () => {
  const { client, received, ended } = subscribed(query);
  const wide = Array.from({ length: 31 }, (_, index) => `a${index}: uuid`).join(" ");
  for (const text of [`{ gpus { ${wide} } }`, `subscription { telemetry { ${wide} } }`]) {
    const refused = await new Promise((resolve) =>
      client.subscribe({ query: text }, { next: resolve, error: resolve, complete: () => undefined }),
    );
    expect(JSON.stringify(refused)).toContain('"code":"OPERATION_TOO_LARGE"');
  }
  let second = 4000;
  await until(async () => {
    second += 1;
    await gateway.publish(record("GPU-a", second));
    return received.length > 0;
  });
  await client.dispose();
  await ended;
});

test("as events over HTTP: the newest records of the selected GPU are sent as they arrive", async () => {
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
    await gateway.publish(record("GPU-c", second));
    return text.includes('"uuid":"GPU-c","temperature"');
  });
  expect(text).toContain("event: next");
  abort.abort();
  await reading;
});

test("records that arrive faster than they are read are reduced to the newest of each GPU", async () => {
  const feed = new LiveFeed(gateway.fleet);
  const records = liveRecords(feed, { uuids: ["GPU-s", "GPU-t"] });
  for (let second = 1; second <= 1000; second += 1) await gateway.publish(record("GPU-s", second));
  await gateway.publish(record("GPU-t", 1));
  expect((await records.next()).value).toMatchObject({ gpu: { uuid: "GPU-s" }, timeMs: at(1000) });
  expect((await records.next()).value).toMatchObject({ gpu: { uuid: "GPU-t" }, timeMs: at(1) });
  const waiting = records.next();
  await records.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test("subscriptions beyond the limit are refused until one has ended; a stopping gateway refuses all", () => {
  const stopping = new AbortController();
  const admission = new Admission(1, stopping.signal);
  const feed = new LiveFeed(gateway.fleet);
  const first = admission.admit(liveRecords(feed, {}), anyone);
  expect(() => admission.admit(liveRecords(feed, {}), anyone)).toThrow("accepts at most 1 subscriptions");
  void first.return?.();
  void admission.admit(liveRecords(feed, {}), anyone).return?.();
  stopping.abort();
  expect(() => admission.admit(liveRecords(feed, {}), anyone)).toThrow("stopping");
});

test("a stopping gateway closes its WebSockets with code 1012", async () => {
  const ownGateway = await openLiveGateway();
  const socket = new WebSocket(`ws://127.0.0.1:${ownGateway.port}/graphql`, "graphql-transport-ws");
  await new Promise((resolve) => (socket.onopen = resolve));
  const closed = new Promise<CloseEvent>((resolve) => (socket.onclose = resolve));
  ownGateway.stopping.abort();
  expect((await closed).code).toBe(1012);
  await ownGateway.close();
});
