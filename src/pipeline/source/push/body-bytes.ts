import { messageOf } from "../../../kit/message-of.ts";
import { type Packing, packingOf, signatureBytes } from "../file/packing.ts";
import { type BodyChunks, type PushedBody, UnusablePush } from "../push.ts";
import { sliceBytes } from "../received-body.ts";

/** How much of a body is read. */
export interface BodyLimits {
  /** Of the content, after it is unpacked. */
  readonly maxBytes: number;
}

/** A body as it arrives, and how it says that it is packed. */
interface ArrivingBody {
  readonly bytes: BodyChunks;
  readonly packing: PushedBody["packing"];
}

/** The content of a body, unpacked, in chunks. @throws UnusablePush if it is damaged, too large or incomplete */
export async function* contentOf(
  { bytes, packing }: ArrivingBody,
  { maxBytes }: BodyLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const head = await headOf(bytes);
  const packed = packing ?? packingOf(head);
  const whole = joined(head, bytes);
  if (packed === undefined) yield* limited(whole, maxBytes);
  else yield* limited(unpacked(whole, packed), maxBytes, ` of unpacked ${packed}`);
}

/** The whole content of a body, unpacked: when all of it is there, because it takes less memory before that.
 *  @throws UnusablePush as `contentOf` does */
export async function contentBytesOf(
  { bytes, packing }: ArrivingBody,
  limits: BodyLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  const sent = await bytesOf(bytes, limits);
  return collected(contentOf({ bytes: chunksOf(sent), packing }, limits));
}

// eslint-disable-next-line @typescript-eslint/require-await
async function* chunksOf(bytes: Uint8Array<ArrayBuffer>): BodyChunks {
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes);
}

/** All bytes of a body, as they were sent. @throws UnusablePush if it is too large or incomplete */
export function bytesOf(bytes: BodyChunks, { maxBytes }: BodyLimits): Promise<Uint8Array<ArrayBuffer>> {
  return collected(limited(bytes, maxBytes));
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

/** Takes chunks until they tell whether the body is packed. */
async function headOf(received: BodyChunks): Promise<Uint8Array<ArrayBuffer>> {
  let head = new Uint8Array(0);
  while (head.length < signatureBytes) {
    const next = await received.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* joined(head: Uint8Array<ArrayBuffer>, rest: BodyChunks): BodyChunks {
  if (head.length > 0) yield head;
  yield* rest;
}

async function* unpacked(packed: BodyChunks, packing: Packing): BodyChunks {
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

function streamOf(chunks: BodyChunks, onError: (error: unknown) => void): ReadableStream<Uint8Array<ArrayBuffer>> {
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
