/** The longest request body that is read. The document in it has a limit of its own, in tokens. */
export const bodyMaxBytes = 256 * 1024;

/** Reads a request's body.
 *  @returns undefined if the body is longer than `bodyMaxBytes` */
export async function readBody(request: Request): Promise<string | undefined> {
  const contentLength = request.headers.get("content-length");
  if (contentLength !== null) return Number(contentLength) > bodyMaxBytes ? undefined : request.text();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > bodyMaxBytes) return undefined; // leaving the loop cancels the stream
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
