import { constants, inflateRawSync } from "node:zlib";

/** The request that opens a WebSocket at /ws. */
export const upgradeRequest =
  "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** A client's frame with a text of at most 65,535 bytes, masked with zeros.
 *  Source: https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([Buffer.from([0x81]), length, Buffer.alloc(4), payload]);
}

/** What is left out at the end of each compressed text.
 *  Source: https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 */
const tail = Buffer.from([0, 0, 0xff, 0xff]);
const syncFlush = { finishFlush: constants.Z_SYNC_FLUSH };

/** A text that a server has sent. */
export interface SentText {
  readonly isDeflated: boolean;
  readonly text: string;
}

/** The whole texts at the beginning of what a server has sent after its handshake. */
export function textsIn(sent: Buffer): SentText[] {
  const texts: SentText[] = [];
  for (let at = 0; at + 2 <= sent.length;) {
    const [first = 0, short = 0] = sent.subarray(at);
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (sent.length < at + head) break;
    const length = head === 2 ? short : head === 4 ? sent.readUInt16BE(at + 2) : Number(sent.readBigUInt64BE(at + 2));
    const payload = sent.subarray(at + head, at + head + length);
    if (payload.length < length) break;
    at += head + length;
    if ((first & 0x0f) !== 1) continue;
    const isDeflated = (first & 0x40) !== 0;
    const whole = isDeflated ? inflateRawSync(Buffer.concat([payload, tail]), syncFlush) : payload;
    texts.push({ isDeflated, text: whole.toString() });
  }
  return texts;
}
