import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { openProxyServer } from "../../dev/proxy-server.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { until } from "../../dev/until.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
let observer: PostgresClient;
const clients: PostgresClient[] = [];

beforeAll(async () => {
  server = await provideDatabase();
  observer = new PostgresClient({ url: server.url, maxConnections: 1, clock: systemClock });
}, 300_000);
afterEach(async () => void (await Promise.all(clients.splice(0).map((client) => client.close()))));
afterAll(async () => {
  await observer.close();
  await server.stop();
});

function open(options: { readonly maxConnections?: number; readonly url?: string } = {}): PostgresClient {
  const client = new PostgresClient({ url: server.url, maxConnections: 1, clock: systemClock, ...options });
  clients.push(client);
  return client;
}

/** The number of statements under way whose text has the mark. */
async function underWay(mark: string): Promise<number> {
  const text =
    "select count(*)::int as count from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()";
  const [row] = await observer.query<{ count: number }>(text, [`%${mark}%`]);
  return row?.count ?? 0;
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => Promise.reject(new Error("it resolved")),
    (error: unknown) => error,
  );

test("a statement ends in the database when its client leaves, and the error is the client's reason", async () => {
  const client = open();
  const left = new AbortController();
  const reason = new Error("the client has left");
  const failure = errorOf(client.until(left.signal).query("select pg_sleep(30), 'leaves' as mark"));
  await until(async () => (await underWay("'leaves'")) === 1);
  left.abort(reason);
  expect(await failure).toBe(reason);
  await until(async () => (await underWay("'leaves'")) === 0);
  expect(await client.query("select 1 as one")).toEqual([{ one: 1 }]);
});

test("a statement with parameters, which is prepared first, ends too", async () => {
  const left = new AbortController();
  const failure = errorOf(open().until(left.signal).query("select pg_sleep($1::float8), 'prepared' as mark", [30]));
  await until(async () => (await underWay("'prepared'")) === 1);
  left.abort();
  await failure;
  expect(await underWay("'prepared'")).toBe(0);
});

test("a statement ends that reaches the server only after its cancellation, which the server then ignores", async () => {
  const url = new URL(server.url);
  const arrived = Promise.withResolvers<void>();
  const proxy = await openProxyServer({ host: url.hostname, port: Number(url.port) }, (from, to) => {
    to.on("data", (data) => from.write(data));
    from.on("data", (data) => {
      if (!data.includes("'held back'")) return void to.write(data);
      arrived.resolve();
      // the cancellation, over another connection, is not held back
      setTimeout(() => to.write(data), 300);
    });
  });
  url.host = `127.0.0.1:${proxy.port}`;
  const left = new AbortController();
  const failure = errorOf(open({ url: url.href }).until(left.signal).query("select pg_sleep(30), 'held back' as mark"));
  await arrived.promise;
  left.abort(new Error("left"));
  expect(await failure).toMatchObject({ message: "left" });
  expect(await underWay("'held back'")).toBe(0);
  await proxy.close();
}, 20_000);

test("a statement that waits for a connection is not begun when its client leaves", async () => {
  const client = open();
  const left = new AbortController();
  const running = client.query("select pg_sleep(0.3)");
  const failure = errorOf(client.until(left.signal).query("create table begun ()"));
  left.abort(new Error("left"));
  expect(await failure).toMatchObject({ message: "left" });
  await running;
  expect(await client.query("select to_regclass('begun') as begun")).toEqual([{ begun: null }]);
});

test("a client that has left before does not begin a statement", async () => {
  const failure = errorOf(
    open()
      .until(AbortSignal.abort(new Error("left")))
      .query("create table begun ()"),
  );
  expect(await failure).toMatchObject({ message: "left" });
  expect(await observer.query("select to_regclass('begun') as begun")).toEqual([{ begun: null }]);
});

test("a cancellation never ends the next statement of its connection", async () => {
  const client = open({ maxConnections: 2 });
  const next: Promise<unknown>[] = [];
  for (let round = 0; round < 60; round += 1) {
    const left = new AbortController();
    // about as long as the cancellation takes, so that it arrives before, at and after the statement's end
    const abandoned = client.until(left.signal).query("select pg_sleep($1::float8)", [(round % 6) / 1000]);
    abandoned.catch(() => undefined);
    await Bun.sleep(round % 4);
    left.abort(new Error("left"));
    next.push(client.query("select pg_sleep(0.004), $1::int as round", [round]));
    await Promise.allSettled([abandoned, next.at(-1)]);
  }
  expect((await Promise.allSettled(next)).filter(({ status }) => status === "rejected")).toEqual([]);
});

test("a server that cannot be reached for the cancellation ends nothing but the statement", async () => {
  const url = new URL(server.url);
  const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${proxy.port}`;
  const client = open({ url: url.href });
  const left = new AbortController();
  const failure = errorOf(client.until(left.signal).query("select pg_sleep(30), 'cut' as mark"));
  await until(async () => (await underWay("'cut'")) === 1);
  await proxy.close();
  left.abort(new Error("left"));
  expect(await failure).toMatchObject({ message: "left" });
});

test("in the embedded database, a statement that waits is not begun when its client leaves", async () => {
  const { client, close } = await openMemoryStore();
  const [stays, leaves] = [new AbortController(), new AbortController()];
  const running = client.until(stays.signal).query("select 1 as one");
  const failure = errorOf(client.until(leaves.signal).query("create table begun ()"));
  leaves.abort(new Error("left"));
  expect(await running).toEqual([{ one: 1 }]);
  expect(await failure).toMatchObject({ message: "left" });
  expect(await client.until(stays.signal).query("select to_regclass('begun') as begun")).toEqual([{ begun: null }]);
  await close();
});

test("a client that leaves while its connection is being made leaves no connection behind", async () => {
  const earlier = new Set(await connectedProcesses());
  for (let waitedMs = 0; waitedMs < 15; waitedMs += 0.5) {
    const client = open();
    const left = new AbortController();
    const failure = errorOf(client.until(left.signal).query("select pg_sleep(30)"));
    await Bun.sleep(waitedMs);
    left.abort();
    await failure;
    await client.close();
  }
  await until(async () => (await connectedProcesses()).every((id) => earlier.has(id)), { timeoutMs: 5000 });
});

/** The server's processes that serve a connection to the database. */
async function connectedProcesses(): Promise<number[]> {
  const rows = await observer.query<{ pid: number }>(
    "select pid from pg_stat_activity where datname = current_database()",
  );
  return rows.map(({ pid }) => pid);
}
