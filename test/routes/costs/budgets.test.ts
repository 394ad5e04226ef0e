import { afterAll, beforeAll, expect, test } from "bun:test";
import { Registry } from "prom-client";
import type { OpenStore } from "../../../src/pipeline/store/open-store.ts";
import type { Questions } from "../../../src/pipeline/store/telemetry-queries.ts";
import { until } from "../../../dev/until.ts";
import { makeBatch, messageOf } from "../../../dev/make-batch.ts";
import type { CostLimits } from "../../../src/roles/gateway-routes.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { openMemoryStore } from "../../support/open-store.ts";
import { securedParts } from "../access/secured-gateway.ts";
import { gatewayOver } from "../gateway.ts";

const startMs = Date.UTC(2025, 6, 18);
const gpus = 10;
/** One every 10 s, as is assumed of a store that does not know its size. */
const recordsOfGpu = 361;

let store: OpenStore;
beforeAll(async () => {
  store = await openMemoryStore();
  const records = Array.from({ length: gpus * recordsOfGpu }, (_, index) => ({
    uuid: `GPU-${index % gpus}`,
    hostname: `host-${index % 2}`,
    timeMs: startMs + Math.floor(index / gpus) * 10_000,
    metrics: { temperature: 30 },
  }));
  await store.store.ingest(messageOf("fleet", makeBatch(records)));
});
afterAll(() => store.close());

const noLimits: CostLimits = { heavyPerClient: 4, rowsPerMinute: 0, sockets: 0, subscriptions: 0, exports: 0 };

/** A gateway that needs keys, and the headers of two keys. */
async function openLimited(limits: Partial<CostLimits>) {
  const secured = securedParts(store);
  const clock = new ManualClock(startMs);
  const registry = new Registry();
  const gateway = gatewayOver(store, { ...secured.parts, costs: { ...noLimits, ...limits }, clock, registry });
  const [a, b] = [await secured.create("read"), await secured.create("read", "operate")];
  const ask = (path: string, { headers } = a, more: Record<string, string> = {}) =>
    gateway.get(path, { headers: { ...headers, ...more } });
  const metric = async (line: string): Promise<string | undefined> =>
    (await registry.metrics())
      .split("\n")
      .find((each) => each.startsWith(line))
      ?.slice(line.length + 1);
  return { ask, a, b, clock, metric, gateway, secured };
}

const from = "start_time=2025-07-18T00:00:00Z";
const hour = `${from}&end_time=2025-07-18T01:00:00Z`;
const aggregates = `/api/v1/telemetry/aggregates?group_by=host&${hour}`;
const rowsLeft = (response: Response): number => Number(/r=(\d+)/.exec(response.headers.get("ratelimit") ?? "")?.[1]);

test("an aggregate is charged as many rows as there are in its window, and a page what it has read", async () => {
  const { ask } = await openLimited({ rowsPerMinute: 100_000 });
  const first = await ask(aggregates);
  expect(first.status).toBe(200);
  expect(first.headers.get("ratelimit-policy")).toBe('"rows";q=100000;w=60');
  // all records of the hour, within a rounding of each GPU's
  expect(Math.abs(100_000 - rowsLeft(first) - gpus * recordsOfGpu)).toBeLessThan(2 * gpus);
  const left = rowsLeft(first);
  expect(left - rowsLeft(await ask(`/api/v1/telemetry?${hour}&limit=50`))).toBe(50);
  expect(rowsLeft(await ask(`/api/v1/telemetry?start_time=2020-01-01T00:00:00Z&end_time=2020-01-02T00:00:00Z`))).toBe(
    left - 50,
  );
  expect((await ask("/api/v1/gpus")).headers.get("ratelimit")).toBeNull();
});

test("a client that has used up its rows gets 429 with what is left and when, and is answered once they are back", async () => {
  const { ask, a, b, clock, metric } = await openLimited({ rowsPerMinute: 3000 });
  expect((await ask(aggregates)).status).toBe(200);
  const refused = await ask(aggregates);
  expect(refused.status).toBe(429);
  const { error } = (await refused.json()) as { error: { code: string; details: Record<string, number> } };
  expect(error).toMatchObject({ code: "too_many_requests", details: { reason: "rows", rows_per_minute: 3000 } });
  expect(refused.headers.get("retry-after")).toBe(String(error.details["retry_after_seconds"]));
  expect(refused.headers.get("ratelimit")).toStartWith('"rows";r=0;t=');
  expect((await ask(aggregates, b)).status).toBe(200);
  expect((await ask("/api/v1/gpus", a)).status).toBe(200);
  expect(await metric('telemetry_client_refused_total{client="read",reason="rows"}')).toBe("1");
  await clock.advance(Number(refused.headers.get("retry-after")) * 1000);
  expect((await ask(aggregates)).status).toBe(200);
});

test("an export is charged as it goes, and ends with its client's rows", async () => {
  const { ask, clock } = await openLimited({ rowsPerMinute: 1500 });
  const response = await ask(`/api/v1/telemetry?${hour}`, undefined, { accept: "text/csv" });
  expect(response.status).toBe(200);
  expect(await response.text().catch((error: Error) => error.message)).toContain("CLIENT_ROWS_PER_MINUTE");
  await clock.advance(60_000);
  expect((await ask(`/api/v1/telemetry?${hour}&limit=5`)).status).toBe(200);
});

/** Searches that find nothing, or few. */
const searches = ["&model=none", "&cluster_id=none", "&namespace=none", "&hostname=host-1&model=none"];

test("a search is charged the records that it had to read, not the few that it found", async () => {
  const { ask } = await openLimited({ rowsPerMinute: 1_000_000 });
  for (const search of searches) {
    const before = rowsLeft(await ask(`/api/v1/telemetry?${hour}&limit=1`));
    const after = rowsLeft(await ask(`/api/v1/telemetry?${hour}&limit=5${search}`));
    const searched = search.includes("hostname") ? gpus / 2 : gpus;
    expect(Math.abs(before - after - searched * recordsOfGpu)).toBeLessThan(2 * gpus);
  }
});

test("a page of a search is charged what it had to read until it was full, and the next one what came after it", async () => {
  const { ask } = await openLimited({ rowsPerMinute: 1_000_000 });
  const before = rowsLeft(await ask(`/api/v1/telemetry?${hour}&limit=1`));
  const page = await ask(`/api/v1/telemetry?${hour}&limit=500&hostname=host-1`);
  const { next_cursor: cursor } = (await page.json()) as { next_cursor: string };
  expect(Math.abs(before - rowsLeft(page) - 500)).toBeLessThan(2 * gpus);
  const next = await ask(`/api/v1/telemetry?${hour}&limit=10000&hostname=host-1&cursor=${encodeURIComponent(cursor)}`);
  const rest = (gpus / 2) * recordsOfGpu - 500;
  expect(Math.abs(rowsLeft(page) - rowsLeft(next) - rest)).toBeLessThan(3 * gpus);
});

test("a search that finds nothing at once keeps its client from asking for a minute at most, however long a time it covers", async () => {
  const { ask, clock } = await openLimited({ rowsPerMinute: 500 });
  expect((await ask(`/api/v1/telemetry?${hour}&limit=5&model=none`)).status).toBe(200);
  expect((await ask(aggregates)).status).toBe(429);
  await clock.advance(1000);
  expect((await ask(aggregates)).status).toBe(200);
});

/** A gateway on a store that takes 2 s for a question about history: `meanwhile` is called after a second. */
async function openSlow(meanwhile: () => void) {
  const clock = new ManualClock(startMs);
  const { questions } = store;
  const ask: Questions["ask"] = (weight, signal) => {
    const queries = questions.ask(weight, signal);
    const records: typeof queries.history.records = async (filter) => {
      await clock.advance(1000);
      meanwhile();
      await clock.advance(1000);
      signal.throwIfAborted();
      return queries.history.records(filter);
    };
    return { ...queries, history: { ...queries.history, records } };
  };
  const secured = securedParts(store);
  const gateway = gatewayOver(store, {
    ...secured.parts,
    costs: { ...noLimits, rowsPerMinute: 1_000_000 },
    clock,
    questions: { atATime: questions.atATime, size: () => questions.size(), ask },
  });
  const { headers } = await secured.create("read");
  return { get: (path: string, signal?: AbortSignal) => gateway.get(path, { headers, ...(signal && { signal }) }) };
}

test("a question whose client leaves is charged the time that the store took, and so is one that has an answer", async () => {
  const leaving = new AbortController();
  const { get } = await openSlow(() => leaving.abort());
  const path = "/api/v1/telemetry?gpu_uuid=GPU-0&limit=1";
  await get(path, leaving.signal).catch(() => undefined);
  const left = rowsLeft(await get("/api/v1/gpus/GPU-0/changes"));
  // 50 rows a millisecond; the check whether the GPU exists is a question, too
  expect(1_000_000 - left - 100_000).toBeWithin(0, 5);
  expect(left - rowsLeft(await get(path))).toBeWithin(100_000 - 70_000, 100_001);
});

test("an operation of which nothing is left to ask is one error, not one for each field", async () => {
  const { gateway, a, ask, metric } = await openLimited({ rowsPerMinute: 3000 });
  expect((await ask(aggregates)).status).toBe(200);
  const post = async (query: string) => {
    const headers = { ...a.headers, "content-type": "application/json" };
    const response = await gateway.get("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) });
    return { text: await response.text(), left: rowsLeft(response) };
  };
  const field = `aggregates(groupBy: host, startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T01:00:00Z") { rows { timestamp } }`;
  const refused = await post(`{ ...many clusters { id } } fragment many on Query { a: ${field} b: ${field} }`);
  const { data, errors } = JSON.parse(refused.text) as { data?: unknown; errors: { extensions: object }[] };
  expect([data ?? undefined, errors.length, refused.left]).toEqual([undefined, 1, 0]);
  expect(errors[0]?.extensions).toMatchObject({ code: "TOO_MANY_REQUESTS", details: { reason: "rows" } });
  expect(await metric('telemetry_client_refused_total{client="read",reason="rows"}')).toBe("1");
  // what is answered from memory is still answered
  expect((await post("{ clusters { id } }")).text).toContain('"data":{"clusters"');
});

test("each alias of a GraphQL operation is charged, and an error says when to try again", async () => {
  const { gateway, a } = await openLimited({ rowsPerMinute: 8000 });
  const field = `aggregates(groupBy: host, startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T01:00:00Z") { rows { timestamp } }`;
  const query = `{ ${Array.from({ length: 25 }, (_, index) => `a${index}: ${field}`).join(" ")} }`;
  const headers = { ...a.headers, "content-type": "application/json" };
  const response = await gateway.get("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) });
  const { errors } = (await response.json()) as { errors: { extensions: { code: string; details: object } }[] };
  expect(errors[0]?.extensions).toMatchObject({
    code: "TOO_MANY_REQUESTS",
    details: { reason: "rows", rows_per_minute: 8000 },
  });
  expect(response.headers.get("ratelimit")).toStartWith('"rows";r=0;');
});

test("two keys behind one address do not share their limit of requests", async () => {
  const secured = securedParts(store);
  const http = { rateLimitPerSecond: 2, trustsForwardedFor: false, corsOrigins: undefined };
  const gateway = gatewayOver(store, { ...secured.parts, http });
  const keys = [await secured.create("read"), await secured.create("read", "operate")];
  const statuses = [];
  for (const { headers } of keys)
    for (let count = 0; count < 3; count += 1) statuses.push(gateway.get("/api/v1/gpus", { headers }));
  const anonymous = [gateway.get("/api/v1/gpus"), gateway.get("/api/v1/gpus"), gateway.get("/api/v1/gpus")];
  const found = await Promise.all([...statuses, ...anonymous].map(async (answer) => (await answer).status));
  expect(found).toEqual([200, 200, 429, 200, 200, 429, 401, 401, 429]);
});

test("a key has as many exports at a time as it may have, and another one when one of them has ended", async () => {
  const { ask, b, metric } = await openLimited({ exports: 2 });
  const open = (key?: typeof b) => ask(`/api/v1/telemetry?${hour}`, key, { accept: "application/x-ndjson" });
  const [first, second] = [await open(), await open()];
  expect(await metric('telemetry_client_held{client="read",kind="exports"}')).toBe("2");
  const third = await open();
  expect([first.status, second.status, third.status]).toEqual([200, 200, 429]);
  expect(await third.json()).toMatchObject({
    error: { code: "too_many_requests", details: { reason: "exports", max: 2 } },
  });
  expect((await open(b)).status).toBe(200);
  await first.text();
  expect((await open()).status).toBe(200);
  await second.body?.cancel();
  await until(async () => (await metric('telemetry_client_held{client="read",kind="exports"}')) === "1");
});

test("the names of at most 100 keys are labels; others share one", async () => {
  const { gateway, secured, metric } = await openLimited({});
  for (let index = 0; index < 102; index += 1) {
    const { text } = await secured.parts.administration.keys.create({
      ...{ name: `key ${index}`, scopes: ["read"], expiresAtMs: undefined, selector: undefined },
    });
    await gateway.get("/api/v1/gpus", { headers: { authorization: `Bearer ${text}` } });
  }
  await until(async () => (await metric('telemetry_client_requests_total{client="other"}')) === "2");
});

test("the newest records of a GPU are a light question; those of a namespace, a host or a model among them may be rare, and are a heavy one", async () => {
  const weights: string[] = [];
  const { questions } = store;
  const ask: Questions["ask"] = (weight, signal) => {
    weights.push(weight);
    return questions.ask(weight, signal);
  };
  const size: Questions["size"] = () => questions.size();
  const gateway = gatewayOver(store, { questions: { atATime: questions.atATime, size, ask } });
  const asked = (more: string) => gateway.get(`/api/v1/telemetry?gpu_uuid=GPU-0&limit=1${more}`);
  for (const [more, weight] of [
    ["", "light"],
    ["&namespace=x", "heavy"],
    ["&model=x", "heavy"],
    ["&hostname=host-0", "heavy"],
  ] as const) {
    expect([(await asked(more)).status, weights.at(-1)]).toEqual([200, weight]);
  }
});
