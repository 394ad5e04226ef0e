import { promisify } from "node:util";
import { gzip, gzipSync } from "node:zlib";
import type { Encoding } from "./negotiate.ts";

/** Shorter bodies are not compressed, because they fit into one packet. */
export const compressMinBytes = 1024;
/** The level of gzip and zstd for whole bodies, chosen for speed. gzip at this level saves three quarters of the bytes that it
 *  saves at its default level. */
const level = 1;

const gzipAsync = promisify(gzip);

/** Up to this length, in bytes or characters, a body is compressed at once, in about 0.1 ms: to hand it to another thread takes longer. */
const shortBytes = 131_072;

/** Compresses a whole body, a long one off the event loop. */
export async function compressed(body: string | Uint8Array, encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
  const isShort = body.length <= shortBytes;
  if (encoding === "gzip")
    return new Uint8Array(isShort ? gzipSync(body, { level }) : await gzipAsync(body, { level }));
  return new Uint8Array(isShort ? Bun.zstdCompressSync(body, { level }) : await Bun.zstdCompress(body, { level }));
}

/** Compresses a stream, at the coding's default level. */
export function compressedStream(body: ReadableStream<Uint8Array>, encoding: Encoding): ReadableStream<Uint8Array> {
  // the types of CompressionStream allow neither zstd nor a stream of bytes
  return body.pipeThrough(new CompressionStream(encoding as "gzip") as unknown as ReadableWritablePair);
}
