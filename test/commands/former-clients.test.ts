import { afterAll, beforeAll, expect, test } from "bun:test";
import net from "node:net";
import { textFrame } from "../../dev/web-socket-frames.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";

// What the clients that the former system's README types send, byte by byte: ab 2.3 (apache2-utils) and wscat 6.1.

let gateway: LiveGateway;
beforeAll(async () => {
  gateway = await openLiveGateway();
  await gateway.publish({ uuid: "GPU-a", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 41 } });
});
afterAll(() => gateway.close());

/** Sends texts or frames one after the other, each when what came before it has been answered.
 *  @returns what the gateway has sent when it matches `last`, or when the gateway closes the connection */
async function exchange(sent: readonly [after: RegExp, bytes: string | Buffer][], last?: RegExp): Promise<string> {
  const socket = net.connect(gateway.port, "127.0.0.1");
  let received = "";
  const ended = Promise.withResolvers<void>();
  const left = [...sent];
  const sendNext = (): void => {
    if (left[0]?.[0].test(received)) socket.write(left.shift()?.[1] ?? "");
    if (last?.test(received)) ended.resolve();
  };
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
    sendNext();
  });
  socket.on("close", () => ended.resolve());
  socket.on("error", ended.reject);
  sendNext();
  await ended.promise;
  socket.destroy();
  return received;
}

test.each([
  ["ab -n 1000 -c 10", ""],
  ["ab -k", "Connection: Keep-Alive\r\n"],
])("%s gets the whole answer, and its end from the length or the end of the connection", async (_, keepAlive) => {
  const request = `GET /api/v1/gpus HTTP/1.0\r\n${keepAlive}Host: localhost:8080\r\nUser-Agent: ApacheBench/2.3\r\nAccept: */*\r\n\r\n`;
  const [head = "", body = ""] = (await exchange([[/^/, request]])).split("\r\n\r\n");
  expect(head).toStartWith("HTTP/1.1 200 OK\r\n");
  // HTTP/1.0 has no chunks
  expect(head.toLowerCase()).not.toContain("transfer-encoding");
  expect(Number(/^content-length: (\d+)$/im.exec(head)?.[1])).toBe(body.length);
  expect(JSON.parse(body)).toMatchObject({ count: 1, data: [{ uuid: "GPU-a" }] });
});

test("wscat -c ws://localhost:8080/ws connects, and its subscription is answered", async () => {
  const handshake =
    "GET /ws HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nHost: localhost:8080\r\n\r\n";
  const filters = { gpu_uuid: "GPU-a", metrics: ["temperature"] };
  const subscription = textFrame(JSON.stringify({ type: "subscribe", topic: "telemetry", filters }));
  const received = await exchange(
    [
      [/^/, handshake],
      [/\r\n\r\n/, subscription],
    ],
    /telemetry_update.*\}/,
  );
  expect(received).toStartWith("HTTP/1.1 101 Switching Protocols\r\n");
  // the key's answer in the standard. Source: https://www.rfc-editor.org/rfc/rfc6455#section-1.3
  expect(received).toContain("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  expect(received).toContain('"type":"subscribed"');
  expect(received).toContain('"gpu_uuid":"GPU-a","data":{"temperature":41}');
});
