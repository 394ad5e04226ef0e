import net from "node:net";
import { constants, deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../../../dev/until.ts";
import { type SentText, textFrame, textsIn, upgradeRequest } from "../../../dev/web-socket-frames.ts";
import { openRawGateway, type RawGateway } from "./raw-gateway.ts";

// Compressed messages, byte by byte: https://www.rfc-editor.org/rfc/rfc7692

let gateway: RawGateway;
beforeAll(async () => void (gateway = await openRawGateway()));
afterAll(() => gateway.close());

const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const protocol = "Sec-WebSocket-Protocol: graphql-transport-ws\r\n";
const init = textFrame('{"type":"connection_init"}');
const ask = (query: string) => textFrame(JSON.stringify({ id: "1", type: "subscribe", payload: { query } }));
const longQuery = "{ metrics { name description unit } }";

interface Conversation {
  readonly head: string;
  readonly texts: SentText[];
  readonly isClosed: boolean;
}

/** Sends frames over a WebSocket, and reads until it is closed or has sent enough. */
async function talk(path: string, headers: string, frames: readonly Buffer[], enough: number): Promise<Conversation> {
  const socket = net.connect(gateway.port, "127.0.0.1");
  const received: Buffer[] = [];
  let isClosed = false;
  socket.on("data", (bytes: Buffer) => received.push(bytes));
  socket.on("close", () => (isClosed = true));
  socket.write(upgradeRequest.replace("/ws", path).replace("\r\n\r\n", `\r\n${headers}\r\n`));
  for (const frame of frames) socket.write(frame);
  const parts = (): [Buffer, Buffer] => {
    const all = Buffer.concat(received);
    const end = all.indexOf("\r\n\r\n") + 4;
    return end < 4 ? [all, Buffer.alloc(0)] : [all.subarray(0, end), all.subarray(end)];
  };
  await until(() => isClosed || textsIn(parts()[1]).length >= enough);
  socket.destroy();
  const [head, sent] = parts();
  return { head: head.toString(), texts: textsIn(sent), isClosed };
}

/** The frame with its text compressed. */
function deflated(text: string): Buffer {
  const payload = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  const length =
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([0xc1, ...length]), Buffer.alloc(4), payload]);
}

test("a long answer is compressed for a client that offers it, a short one is not", async () => {
  const frames = [init, ask(longQuery)];
  const { head, texts } = await talk("/graphql", protocol + offer, frames, 3);
  expect(head).toContain("Sec-WebSocket-Extensions: permessage-deflate");
  expect(texts.map(({ isDeflated }) => isDeflated)).toEqual([false, true, false]);
  const plain = await talk("/graphql", protocol, frames, 3);
  expect(plain.head).not.toContain("Sec-WebSocket-Extensions");
  expect(plain.texts.map(({ isDeflated }) => isDeflated)).toEqual([false, false, false]);
  expect(texts.map(({ text }) => text)).toEqual(plain.texts.map(({ text }) => text));
});

test("a compressed message of a client is understood", async () => {
  const { texts } = await talk("/ws", offer, [deflated('{"type":"ping","id":"7"}')], 1);
  expect(texts).toEqual([{ isDeflated: false, text: '{"type":"pong","id":"7"}' }]);
});

test("a message that grows beyond the limit ends the connection", async () => {
  const bomb = deflated(" ".repeat(8 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(16 * 1024);
  const { texts, isClosed } = await talk("/ws", offer, [bomb], 1);
  expect([texts, isClosed]).toEqual([[], true]);
});
