/** Longest request that is read: variables and all. A document has 2,000 tokens at most. */
export const bodyMaxBytes = 256 * 1024;

/** Reads a body up to its limit, and no further.
 *  @returns undefined where it is longer */
export async function readBody(request: Request): Promise<string | undefined> {
  const said = request.headers.get("content-length");
  if (said !== null) return Number(said) > bodyMaxBytes ? undefined : request.text();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > bodyMaxBytes) return undefined; // leaving the loop cancels the rest
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
