import { cors } from "@elysiajs/cors";

/** Lets pages of these origins read answers; `*` means every origin. */
export function crossOrigin(origins: readonly string[]) {
  return cors({
    origin: origins.includes("*") ? true : [...origins],
    methods: ["GET", "HEAD", "POST", "DELETE"],
    exposeHeaders: ["etag", "retry-after"],
  });
}
