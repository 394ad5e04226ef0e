import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import net from "node:net";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { makeKeyText } from "../../src/access/key-text.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";

// Two gateway processes on one database: a key that is revoked through one of them ends at both, with all that it has open.

setDefaultTimeout(60_000);

const admin = makeKeyText().text;
const rows = 60_000;
let server: ProvidedDatabase;
let gateways: PipelineProcess[];
let urls: string[];

beforeAll(async () => {
  server = await provideDatabase();
  const opened = await openPostgresStore({ url: server.url, migrate: true });
  const records = Array.from({ length: rows }, (_, index) => ({
    uuid: `GPU-${index % 100}`,
    hostname: "host-0",
    timeMs: Date.UTC(2025, 6, 18) + Math.floor(index / 100) * 1000,
    metrics: { temperature: 30 },
  }));
  await opened.store.ingest(messageOf("fleet", makeBatch(records)));
  await opened.close();
  const env = { ROLE: "gateway", DATABASE_URL: server.url, AUTH_BOOTSTRAP_KEY: admin, MIGRATE_ON_START: "false" };
  gateways = [startPipeline(env), startPipeline(env)];
  urls = await Promise.all(gateways.map((gateway) => urlOf(gateway)));
}, 300_000);
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => stopPipeline(gateway)));
  await server.stop();
});

async function change(method: string, path: string): Promise<{ readonly id: string; readonly key: string }> {
  const response = await fetch(urls[0] + path, { method, headers: { authorization: `Bearer ${admin}` } });
  const { data } = (await response.json()) as { data: { id: string; key: string } };
  return data;
}

/** Opens a socket. @returns a promise of the code with which it closes */
async function openSocket(url: string, key: string, protocols: string[] = []): Promise<[WebSocket, Promise<number>]> {
  const options = { headers: { authorization: `Bearer ${key}` }, protocols };
  const socket = new WebSocket(url.replace("http", "ws"), options);
  const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`${url} does not open`));
  });
  return [socket, closed];
}

async function subscribed(
  [socket, closed]: [WebSocket, Promise<number>],
  ...messages: object[]
): Promise<Promise<number>[]> {
  for (const message of messages) {
    const answered = new Promise((resolve) => (socket.onmessage = resolve));
    socket.send(JSON.stringify(message));
    // a subscription without new records is silent
    if ("answers" in message) await answered;
  }
  return [closed];
}

/** Begins an export that its client stops reading. @returns a promise of whether it was sent completely, from the call of `finish` on */
function beginExport(url: string, key: string): Promise<{ finish: () => Promise<boolean> }> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const lines = ["GET /api/v1/telemetry HTTP/1.1", `Host: ${hostname}:${port}`, `Authorization: Bearer ${key}`];
  socket.write([...lines, "Accept: text/csv", "Connection: close", "", ""].join("\r\n"));
  let received = 0;
  const ended = new Promise<void>((resolve) => socket.on("error", () => undefined).on("close", () => resolve()));
  return new Promise((resolve) => {
    socket.on("data", (data) => (received += data.toString("latin1").split("\n").length - 1));
    socket.once("data", () => {
      socket.pause();
      resolve({ finish: () => (socket.resume(), ended.then(() => received >= rows)) });
    });
  });
}

test("a revoked key ends its sockets, subscriptions and running exports within 5 s, at the gateway that revokes it and at another", async () => {
  const { id, key } = await change("POST", "/api/v1/keys?name=team&scopes=read");
  const query = "subscription { telemetry { uuid } }";
  const bearer = { authorization: `Bearer ${key}` };
  const headers = { ...bearer, accept: "text/event-stream", "content-type": "application/json" };
  const opened = await Promise.all(
    urls.map(async (url) => {
      // a gateway reads the keys every two seconds
      while ((await fetch(`${url}/api/v1/gpus`, { headers: bearer })).status !== 200) await Bun.sleep(100);
      const [live, graphql] = await Promise.all([
        openSocket(`${url}/ws`, key),
        openSocket(`${url}/graphql`, key, ["graphql-transport-ws"]),
      ]);
      const [ended] = await subscribed(live, { type: "subscribe" });
      const [endedToo] = await subscribed(
        graphql,
        { type: "connection_init", answers: true },
        { type: "subscribe", id: "1", payload: { query } },
      );
      const events = await fetch(`${url}/graphql`, { method: "POST", headers, body: JSON.stringify({ query }) });
      return { codes: [ended, endedToo], events, csv: await beginExport(url, key) };
    }),
  );
  const revokedAtMs = performance.now();
  await change("DELETE", `/api/v1/keys/${id}`);
  const codes = await Promise.all(opened.flatMap((each) => each.codes));
  const events = await Promise.all(
    opened.map((each) =>
      each.events.text().then(
        () => "ended",
        () => "ended",
      ),
    ),
  );
  const elapsedMs = performance.now() - revokedAtMs;
  const complete = await Promise.all(opened.map(({ csv }) => csv.finish()));
  expect({ codes, events, complete }).toEqual({
    codes: [1008, 4403, 1008, 4403],
    events: ["ended", "ended"],
    complete: [false, false],
  });
  expect(elapsedMs).toBeLessThan(5000);
  const statuses = await Promise.all(
    urls.map(async (url) => (await fetch(`${url}/api/v1/gpus`, { headers: bearer })).status),
  );
  expect(statuses).toEqual([401, 401]);
});
