import type { Clock } from "../../kit/clock.ts";
import { within } from "../../kit/within.ts";

/** How long a body may take to arrive. A client that sends a byte now and then would otherwise never be disconnected. */
export const bodyMaxMs = 20_000;

/** Reads a request's body, for at most `bodyMaxMs`.
 *  @returns undefined if the body is longer than `maxBytes`
 *  @throws DeadlineExceeded */
export function boundedText(request: Request, maxBytes: number, clock: Clock): Promise<string | undefined> {
  return within(clock, bodyMaxMs, () => textOf(request, maxBytes));
}

async function textOf(request: Request, maxBytes: number): Promise<string | undefined> {
  const contentLength = request.headers.get("content-length");
  if (contentLength !== null) return Number(contentLength) > maxBytes ? undefined : request.text();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > maxBytes) return undefined; // leaving the loop cancels the stream
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
