import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { Socket } from "bun";
import { ManualClock } from "../support/manual-clock.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

// Bodies that come slowly, over real connections: a sender that goes on is taken, and a silent one gets an answer.

setDefaultTimeout(30_000);

/** Of the server; 30 s by default. */
const idleTimeout = 1;
/** Bun looks for idle connections every 4 s, and so closes them up to 4 s late. */
const slowMs = 6000;
const types = {
  "/api/v1/telemetry": { type: "application/x-ndjson", good: 202 },
  "/v1/metrics": { type: "application/json", good: 200 },
  "/api/v1/write": { type: "application/x-protobuf", good: 204, coding: "snappy" },
  "/api/v1/csv/upload": { type: "text/csv", good: 202 },
};
type Path = keyof typeof types;

let opened: Awaited<ReturnType<typeof openFleetStore>>;
let sockets: Socket[];

beforeEach(async () => {
  opened = await openFleetStore([]);
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  await opened.close();
});

function listen(gateway: TestGateway): number {
  gateway.app.listen({ hostname: "127.0.0.1", port: 0, idleTimeout });
  return gateway.app.server?.port ?? 0;
}

/** Sends a request up to its body. @returns what sends bytes of the body, and the status of the answer; 0 without an answer */
async function begin(port: number, path: Path, bodyBytes: number) {
  const answer = Promise.withResolvers<number>();
  const socket = await Bun.connect({
    ...{ hostname: "127.0.0.1", port },
    socket: {
      data: (_, data) => answer.resolve(Number(data.toString().split(" ")[1])),
      close: () => answer.resolve(0),
    },
  });
  sockets.push(socket);
  const { type, ...more } = types[path];
  const coding = "coding" in more ? `Content-Encoding: ${more.coding}\r\n` : "";
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: ${type}\r\n${coding}`;
  socket.write(`${head}Content-Length: ${bodyBytes}\r\n\r\n`);
  return { send: (bytes: Uint8Array | string) => socket.write(bytes), status: answer.promise };
}

const bodies: Record<Path, Uint8Array> = {
  "/api/v1/telemetry": Buffer.from(" ".repeat(8)),
  "/v1/metrics": Buffer.from("{}      "),
  // an empty message, packed
  "/api/v1/write": new Uint8Array([0]),
  "/api/v1/csv/upload": Buffer.from("uuid\nx\n1"),
};

test("slow pushes leave the turns to others, and one client cannot have too many", async () => {
  const port = listen(gatewayOver(opened));
  const slow = await Promise.all(Array.from({ length: 17 }, () => begin(port, "/api/v1/telemetry", 100)));
  for (const { send } of slow) send(" ");
  // the last one is refused
  expect(await Promise.race(slow.map(({ status }) => status))).toBe(429);
  const other = await begin(port, "/api/v1/telemetry", 8);
  other.send(bodies["/api/v1/telemetry"]);
  expect(await Promise.race([other.status, Bun.sleep(3000)])).toBe(202);
  for (const { send } of slow) send(" ".repeat(99));
  const statuses = await Promise.all(slow.map(({ status }) => status));
  expect(statuses.filter((status) => status === 202)).toHaveLength(16);
});

const paths = Object.keys(types) as Path[];

test("a body that comes slower than the server's limit for idle connections is taken, and a silent sender gets an answer", async () => {
  const [port, clock] = [listen(gatewayOver(opened)), new ManualClock()];
  const silentPort = listen(gatewayOver(opened, { clock }));
  const silent = await Promise.all(paths.map((path) => begin(silentPort, path, 100)));
  for (const { send } of silent) send("{");
  const slow = await Promise.all(
    paths.map(async (path) => {
      const body = bodies[path];
      const { send, status } = await begin(port, path, body.length);
      for (const byte of body) {
        await Bun.sleep(slowMs / body.length);
        send(new Uint8Array([byte]));
      }
      return [path, await status];
    }),
  );
  expect(slow).toEqual(paths.map((path) => [path, types[path].good]));
  await clock.advance(30_000);
  const statuses = await Promise.all(silent.map(({ status }) => status));
  expect(statuses).toEqual(paths.map(() => 400));
});
