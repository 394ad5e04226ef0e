import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Encoding } from "./negotiate.ts";

/** Shorter bodies are not compressed, because they fit into one packet. */
export const compressMinBytes = 1024;
/** The level of gzip and zstd for whole bodies, chosen for speed. gzip at this level saves three quarters of the bytes that it
 *  saves at its default level. */
const level = 1;

const gzipAsync = promisify(gzip);

/** Compresses a whole body, off the event loop. */
export async function compressed(body: string | Uint8Array, encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = encoding === "zstd" ? await Bun.zstdCompress(body, { level }) : await gzipAsync(body, { level });
  return new Uint8Array(bytes);
}

/** Compresses a stream, at the coding's default level. */
export function compressedStream(body: ReadableStream<Uint8Array>, encoding: Encoding): ReadableStream<Uint8Array> {
  // the types of CompressionStream allow neither zstd nor a stream of bytes
  return body.pipeThrough(new CompressionStream(encoding as "gzip") as unknown as ReadableWritablePair);
}
