import { ApiError, shown } from "./api-error.ts";

/** The largest content-length that is accepted: far more than the `{}` or `null` that client libraries send by habit. */
const bodyMaxBytes = 64 * 1024;

/** Why a body is not read: it has a coding, such as gzip, which would let a small body become a large one. Undefined if it has none. */
export function codingProblem(headers: Headers): string | undefined {
  const coding = headers.get("content-encoding") ?? "";
  if (/^(?:identity)?$/i.test(coding.trim())) return undefined;
  return `A body with Content-Encoding ${JSON.stringify(shown(coding))} is not supported; send it as it is`;
}

/** Checks that a request's body may be ignored: REST reads only the path and the query. The body of a GET or HEAD may
 *  always be ignored. Any other body must have the content-type of JSON, because the sender of anything else expects the body
 *  to be used.
 *  @throws ApiError 413 if the content-length is too large, 415 if a body has another content-type than application/json, or a coding */
export function checkBody({ method, headers }: Request): void {
  if (method === "GET" || method === "HEAD") return;
  const bytes = Number(headers.get("content-length") ?? 0);
  if (bytes > bodyMaxBytes) {
    throw new ApiError(413, "too_large", {
      message: `A body of ${bytes} bytes is too large: this path needs no body, and accepts up to ${bodyMaxBytes} bytes`,
      details: { bytes, max_bytes: bodyMaxBytes },
    });
  }
  if (bytes === 0 && !headers.has("transfer-encoding")) return;
  const problem = codingProblem(headers);
  if (problem !== undefined) {
    throw new ApiError(415, "unsupported_media_type", { message: problem, details: { supported: ["identity"] } });
  }
  const type = headers.get("content-type") ?? "";
  if (/^application\/json\s*(?:;|$)/i.test(type)) return;
  const named = type === "" ? "without a content-type" : `of type ${JSON.stringify(shown(type))}`;
  throw new ApiError(415, "unsupported_media_type", {
    message: `A body ${named} is not supported: this path needs no body, and accepts application/json`,
    details: { content_type: shown(type), supported: ["application/json"] },
  });
}
