import { cors } from "@elysiajs/cors";

/** Headers of requests that pages may set. */
const allowedHeaders = ["accept", "authorization", "content-type", "if-none-match"];

/** Lets pages of these origins read answers; `*` means every origin, but then without the cookies and passwords that the browser
 *  has for this one. */
export function crossOrigin(origins: readonly string[]) {
  const isForAll = origins.includes("*");
  return cors({
    origin: isForAll ? "*" : [...origins],
    credentials: !isForAll,
    methods: ["GET", "HEAD", "POST", "DELETE"],
    allowedHeaders,
    exposeHeaders: [
      "etag",
      "link",
      "x-next-cursor",
      "x-total-count",
      "x-start-time",
      "x-end-time",
      "x-notice",
      "retry-after",
      "ratelimit",
      "ratelimit-policy",
    ],
  });
}
