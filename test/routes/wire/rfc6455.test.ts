import { afterAll, beforeAll, expect, test } from "bun:test";
import { textFrame } from "../../../dev/web-socket-frames.ts";
import { bodyOf, openRawGateway, type RawGateway, statusOf } from "./raw-gateway.ts";

// Handshakes and frames as bytes, because no client sends them: https://www.rfc-editor.org/rfc/rfc6455

let gateway: RawGateway;
beforeAll(async () => void (gateway = await openRawGateway()));
afterAll(() => gateway.close());

const standard: Readonly<Record<string, string>> = {
  Host: "localhost",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

/** A handshake with these headers instead of the usual ones; an empty text leaves a header out. */
function handshake(path: string, changed: Readonly<Record<string, string>> = {}): string {
  const headers = Object.entries({ ...standard, ...changed }).filter(([, value]) => value !== "");
  return `GET ${path} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** An answer to a handshake that was refused has no end that the socket sees, so the client asks for one. */
const refused = (path: string, changed: Readonly<Record<string, string>>): Promise<string> =>
  gateway.send(handshake(path, changed), "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

const protocolIn = (answer: string): string | undefined => /^sec-websocket-protocol: (.*)\r$/im.exec(answer)?.[1];
const graphql = "graphql-transport-ws";
const offering = (protocols: string) => ({ "Sec-WebSocket-Protocol": protocols });

test("a handshake is answered with the key's digest, however its headers are spelled (4.2)", async () => {
  for (const changed of [
    {},
    { Upgrade: "WebSocket" },
    { Upgrade: "h2c, websocket" },
    { Connection: "keep-alive, upgrade" },
    { "Sec-WebSocket-Protocol": ", ," },
  ]) {
    const answer = await gateway.send(handshake("/ws", changed));
    expect([changed, statusOf(answer), protocolIn(answer)]).toEqual([changed, 101, undefined]);
    expect(answer).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  }
});

test("what is no handshake is no error either: 426 or 400 (4.2.1, 4.4)", async () => {
  for (const changed of [
    { Upgrade: "" },
    { Upgrade: "websocket2" },
    { Connection: "close" },
    { Connection: "" },
    { "Sec-WebSocket-Key": "" },
    { "Sec-WebSocket-Key": "abc" },
    { "Sec-WebSocket-Version": "12" },
  ]) {
    expect([changed, statusOf(await refused("/ws", changed))]).toEqual([changed, 426]);
    const answer = await refused("/graphql", { ...changed, ...offering(graphql) });
    expect([changed, statusOf(answer)]).not.toEqual([changed, 101]);
    expect(statusOf(answer)).toBeLessThan(500);
  }
  expect(await refused("/ws", { "Sec-WebSocket-Version": "12" })).toContain("Sec-WebSocket-Version: 13\r\n");
});

test("/graphql finds its subprotocol at every place of the list, also in a second header", async () => {
  const lists = [graphql, `graphql-ws, ${graphql}`, `${graphql},foo`, `a,b , ${graphql}`];
  lists.push(`foo\r\nSec-WebSocket-Protocol: ${graphql}`);
  for (const list of lists) {
    const answer = await gateway.send(handshake("/graphql", offering(list)), textFrame('{"type":"connection_init"}'));
    expect([list, statusOf(answer), protocolIn(answer)]).toEqual([list, 101, graphql]);
    expect(answer).toContain('{"type":"connection_ack"}');
  }
});

test("a subprotocol that is not spoken is refused, and the answer names the one that is; none is invented", async () => {
  for (const list of ["foo", "graphql-ws", graphql.toUpperCase(), "bad proto", ", ,", ""]) {
    const answer = await refused("/graphql", offering(list));
    expect([list, statusOf(answer), protocolIn(answer)]).toEqual([list, 400, undefined]);
    expect(bodyOf(answer)).toContain(`speaks ${graphql}`);
  }
  for (const list of ["foo", graphql, "a, b"]) {
    const answer = await refused("/ws", offering(list));
    expect([list, statusOf(answer), protocolIn(answer)]).toEqual([list, 400, undefined]);
    expect(bodyOf(answer)).toContain("connect without Sec-WebSocket-Protocol");
  }
});

/** The code with which the server closes after these frames; undefined if it does not. */
async function closeCode(...frames: readonly Uint8Array[]): Promise<number | undefined> {
  const received = Buffer.from(bodyOf(await gateway.send(handshake("/ws"), ...frames)), "latin1");
  const closeAt = received.indexOf(0x88);
  if (closeAt === -1) return undefined;
  return received[closeAt + 1] === 0 ? 1005 : received.readUInt16BE(closeAt + 2);
}

/** A client's frame whose first byte is `first`, masked with zeros. */
function frame(first: number, payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([first, ...length]), Buffer.alloc(4), bytes]);
}

test("a fragmented message is one message, and a ping between its parts is answered (5.4, 5.5)", async () => {
  const text = '{"type":"ping","id":"7"}';
  const parts = [frame(0x01, text.slice(0, 9)), frame(0x89, "hi"), frame(0x80, text.slice(9))];
  const answer = await gateway.send(handshake("/ws"), ...parts);
  expect(answer).toContain('{"type":"pong","id":"7"}');
  expect(answer).toContain("\x8a\x02hi");
});

test("a close is answered with a close of the same code (5.5.1)", async () => {
  expect(await closeCode(frame(0x88, Buffer.from([0x03, 0xe8])))).toBe(1000);
});

test("frames that break the protocol end the connection, and no message gets in (5.1, 5.2, 5.5, 8.1)", async () => {
  const unmasked = Buffer.from([0x81, 0x02, 0x7b, 0x7d]);
  for (const [name, frames] of [
    ["unmasked", [unmasked]],
    ["reserved bit", [frame(0xc1, '{"type":"ping"}')]],
    ["unknown opcode", [frame(0x83, "x")]],
    ["continuation of nothing", [frame(0x80, '{"type":"ping"}')]],
    ["message within a message", [frame(0x01, "{"), frame(0x81, '{"type":"ping"}')]],
    ["fragmented ping", [frame(0x09, "x")]],
    ["long ping", [frame(0x89, "x".repeat(126))]],
    ["not UTF-8", [frame(0x81, Buffer.from([0xff, 0xfe]))]],
  ] as const) {
    const answer = await gateway.send(handshake("/ws"), ...frames, textFrame('{"type":"ping","id":"late"}'));
    expect([name, answer.includes("late"), answer.includes('"pong"')]).toEqual([name, false, false]);
  }
});

test("none of this is an error of the gateway", () => expect(gateway.errors()).toEqual([]));
