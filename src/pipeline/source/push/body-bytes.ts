import type { Clock } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { DeadlineExceeded, within } from "../../../kit/within.ts";
import { type Packing, packingOf, signatureBytes } from "../file/packing.ts";
import { type PushedBody, UnusablePush } from "../push.ts";

/** How much of a body is read. */
export interface BodyLimits {
  /** Of the content, after it is unpacked. */
  readonly maxBytes: number;
  readonly clock: Clock;
}

type Chunks = AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;

/** A sender that is silent for so long does not go on. */
const silenceMaxMs = 30_000;
/** So much is unpacked at a time: packed bytes can become a thousand times as many. */
const sliceBytes = 16 * 1024;

/** The content of a body, unpacked, in chunks. @throws UnusablePush if it is damaged, too large or incomplete */
export async function* contentOf(
  { bytes, packing }: Pick<PushedBody, "bytes" | "packing">,
  { maxBytes, clock }: BodyLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const received = receivedFrom(bytes, clock);
  const head = await headOf(received);
  const packed = packing ?? packingOf(head);
  const whole = joined(head, received);
  if (packed === undefined) yield* limited(whole, maxBytes);
  else yield* limited(unpacked(whole, packed), maxBytes, ` of unpacked ${packed}`);
}

/** The whole content of a body, unpacked. @throws UnusablePush as `contentOf` does */
export function contentBytesOf(
  body: Pick<PushedBody, "bytes" | "packing">,
  limits: BodyLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  return collected(contentOf(body, limits));
}

/** All bytes of a body, as they were sent. @throws UnusablePush if it is too large or incomplete */
export function bytesOf(
  bytes: ReadableStream<Uint8Array>,
  { maxBytes, clock }: BodyLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  return collected(limited(receivedFrom(bytes, clock), maxBytes));
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  // a plain array of bytes: readers of some formats treat a Buffer in another way
  return new Uint8Array(Buffer.concat(await Array.fromAsync(chunks)));
}

/** @param of what the bytes are, for the error */
async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  of = "",
): AsyncGenerator<Uint8Array, void, undefined> {
  let count = 0;
  for await (const chunk of chunks) {
    count += chunk.length;
    if (count > maxBytes) throw new UnusablePush("too_large", `The body has more than ${maxBytes} bytes${of}`);
    yield chunk;
  }
}

/** A body as it was sent, in chunks of at most 16 KiB. @throws UnusablePush if its sender is silent for too long, or goes */
export async function* receivedFrom(bytes: ReadableStream<Uint8Array>, clock: Clock): Chunks {
  const reader = bytes.getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  try {
    for (;;) {
      const next = await within(clock, silenceMaxMs, () => reader.read());
      if (next.done) return;
      for (let at = 0; at < next.value.length; at += sliceBytes) yield next.value.subarray(at, at + sliceBytes);
    }
  } catch (error) {
    const reason = error instanceof DeadlineExceeded ? `nothing came for ${silenceMaxMs / 1000} s` : messageOf(error);
    throw new UnusablePush("incomplete", `The body does not go on: ${reason}`);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Takes chunks until they tell whether the body is packed. */
async function headOf(received: Chunks): Promise<Uint8Array<ArrayBuffer>> {
  let head = new Uint8Array(0);
  while (head.length < signatureBytes) {
    const next = await received.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* joined(head: Uint8Array<ArrayBuffer>, rest: Chunks): Chunks {
  if (head.length > 0) yield head;
  yield* rest;
}

async function* unpacked(packed: Chunks, packing: Packing): Chunks {
  let lost: unknown;
  // the stream that unpacks reports an error of the packed bytes as one of its own
  const source = streamOf(packed, (error) => (lost = error));
  try {
    for await (const chunk of source.pipeThrough(new DecompressionStream(packing))) yield chunk;
  } catch (error) {
    if (lost !== undefined) throw lost as Error;
    throw new UnusablePush("malformed", `The body cannot be unpacked as ${packing}: ${messageOf(error)}`);
  }
}

function streamOf(chunks: Chunks, onError: (error: unknown) => void): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const next = await chunks.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      } catch (error) {
        onError(error);
        controller.error(error);
      }
    },
    cancel: () => void chunks.return(),
  });
}
