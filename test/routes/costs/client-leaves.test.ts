import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../../dev/servers/provide-database.ts";
import { makeBatch, messageOf } from "../../../dev/make-batch.ts";
import { until } from "../../../dev/until.ts";
import type { OpenStore } from "../../../src/pipeline/store/open-store.ts";
import { openPostgresStore } from "../../../src/pipeline/store/sql/open-postgres-store.ts";
import { PostgresClient } from "../../../src/db/postgres-client.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { gatewayOver, type TestGateway } from "../gateway.ts";
import { listening } from "../../support/listening.ts";

// What a client asks for ends in the database when the client leaves. A lock keeps the statements waiting for as long as a test
// needs them.

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
let store: OpenStore;
let gateway: TestGateway;
let base: string;
let locker: PostgresClient;
let observer: PostgresClient;

const aggregates =
  "/api/v1/telemetry/aggregates?group_by=host&start_time=2025-07-18T00:00:00Z&end_time=2025-07-18T01:00:00Z";
const query =
  '{ aggregates(groupBy: host, startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T01:00:00Z") { rows { timestamp } } }';

beforeAll(async () => {
  server = await provideDatabase();
  store = await openPostgresStore({ url: server.url, migrate: true });
  const records = Array.from({ length: 2500 }, (_, index) => ({
    uuid: "GPU-0",
    hostname: "host-0",
    timeMs: Date.UTC(2025, 6, 18) + index * 1000,
    metrics: { temperature: 30 },
  }));
  await store.store.ingest(messageOf("fleet", makeBatch(records)));
  gateway = gatewayOver(store);
  base = `127.0.0.1:${await listening(gateway)}`;
  const one = { url: server.url, maxConnections: 1, clock: systemClock };
  [locker, observer] = [new PostgresClient(one), new PostgresClient(one)];
}, 300_000);
afterAll(async () => {
  await gateway.app.stop(true);
  await Promise.all([locker.close(), observer.close()]);
  await store.close();
  await server.stop();
});

/** Calls `work` while statements that read telemetry wait. */
function whileLocked(work: () => Promise<void>): Promise<void> {
  return locker.transaction(async (transaction) => {
    await transaction.query("lock table telemetry in access exclusive mode");
    await work();
  });
}

async function waitingStatements(): Promise<number> {
  const text =
    "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  const [row] = await observer.query<{ count: number }>(text);
  return row?.count ?? 0;
}

/** Waits for statements of a client, calls `leave`, and waits for their end. */
async function expectEnd(leave: () => unknown): Promise<void> {
  await until(async () => (await waitingStatements()) > 0);
  await leave();
  await until(async () => (await waitingStatements()) === 0);
}

/** Reads until the stream ends, fails or is cancelled: the rows that were read with the first ones need no statement. */
async function toEnd(reader: { read(): Promise<{ readonly done: boolean }> } | undefined): Promise<void> {
  for (;;) {
    const part = await reader?.read().catch(() => undefined);
    if (part === undefined || part.done) return;
  }
}

/** Opens a socket that speaks graphql-transport-ws, and subscribes to the query as `1`. */
async function askOverSocket(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${base}/graphql`, "graphql-transport-ws");
  await new Promise((resolve) => (socket.onopen = resolve));
  const acknowledged = new Promise((resolve) => (socket.onmessage = resolve));
  socket.send(JSON.stringify({ type: "connection_init" }));
  await acknowledged;
  socket.send(JSON.stringify({ type: "subscribe", id: "1", payload: { query } }));
  return socket;
}

test("a request's statements end when the client aborts it", () =>
  whileLocked(async () => {
    const abort = new AbortController();
    const answer = fetch(`http://${base}${aggregates}`, { signal: abort.signal }).catch(() => undefined);
    await expectEnd(() => abort.abort());
    await answer;
  }));

test("a GraphQL request's statements end when the client aborts it", () =>
  whileLocked(async () => {
    const abort = new AbortController();
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ query });
    const answer = fetch(`http://${base}/graphql`, { method: "POST", headers, body, signal: abort.signal });
    const failed = answer.catch(() => undefined);
    await expectEnd(() => abort.abort());
    await failed;
  }));

test("the statements of an operation over a socket end when the client ends the operation", () =>
  whileLocked(async () => {
    const socket = await askOverSocket();
    await expectEnd(() => socket.send(JSON.stringify({ type: "complete", id: "1" })));
    socket.close();
  }));

test("the statements of an operation over a socket end when the socket closes", () =>
  whileLocked(async () => {
    const socket = await askOverSocket();
    await expectEnd(() => socket.close());
  }));

test("the statements of a replay over /ws end when the socket closes", () =>
  whileLocked(async () => {
    const socket = new WebSocket(`ws://${base}/ws`);
    await new Promise((resolve) => (socket.onopen = resolve));
    socket.send(JSON.stringify({ type: "subscribe", topic: "telemetry", since: "2025-07-18T00:00:00Z" }));
    await expectEnd(() => socket.close());
  }));

test("the statements of an export end when its reader is gone", async () => {
  // in process, because a server reads ahead of a client as far as the network's buffers go
  const response = await gateway.get("/api/v1/telemetry", { headers: { accept: "text/csv" } });
  const reader = response.body?.getReader();
  await reader?.read();
  await whileLocked(async () => {
    const rest = toEnd(reader);
    await expectEnd(() => reader?.cancel());
    await rest;
  });
});

test("a question that waits for its turn is not begun when its client leaves", () =>
  whileLocked(async () => {
    const abort = new AbortController();
    const fetches = Array.from({ length: 12 }, () =>
      fetch(`http://${base}${aggregates}`, { signal: abort.signal }).catch(() => undefined),
    );
    await expectEnd(() => abort.abort());
    await Promise.all(fetches);
    expect(await waitingStatements()).toBe(0);
  }));
