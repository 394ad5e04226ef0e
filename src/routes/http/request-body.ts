import { ApiError, shown } from "./api-error.ts";

/** What client libraries send along by habit (`{}`, `null`) fits in many times over. */
const bodyMaxBytes = 64 * 1024;

/** REST takes everything from path and query. A body is never read: one that says nothing is let pass, one that was meant
 *  for something else is refused.
 *  @throws ApiError 413 for a long one, 415 for one that is no JSON */
export function checkBody({ method, headers }: Request): void {
  if (method === "GET" || method === "HEAD") return;
  const bytes = Number(headers.get("content-length") ?? 0);
  if (bytes > bodyMaxBytes) {
    throw new ApiError(413, "too_large", {
      message: `A body of ${bytes} bytes is too large: this path needs none, and takes up to ${bodyMaxBytes} bytes`,
      details: { bytes, max_bytes: bodyMaxBytes },
    });
  }
  if (bytes === 0 && !headers.has("transfer-encoding")) return;
  const type = headers.get("content-type") ?? "";
  if (/^application\/json\s*(?:;|$)/i.test(type)) return;
  const named = type === "" ? "without a content-type" : `of type ${JSON.stringify(shown(type))}`;
  throw new ApiError(415, "unsupported_media_type", {
    message: `A body ${named} is not understood: this path needs none, and takes application/json`,
    details: { content_type: shown(type), supported: ["application/json"] },
  });
}
