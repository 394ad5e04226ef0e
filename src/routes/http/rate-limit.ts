import { Elysia } from "elysia";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { ApiError } from "./api-error.ts";

export interface RateLimitOptions {
  /** Maximum number of requests a second from one client address. */
  readonly rateLimitPerSecond: number;
  /** True if the last address of X-Forwarded-For is the client's: only behind a proxy that sets this header. */
  readonly trustsForwardedFor: boolean;
}

/** Paths for operators and their tools, which are never limited. */
const unlimitedPaths: ReadonlySet<string> = new Set(["/health", "/health/live", "/health/ready", "/metrics"]);

/** Refuses a client's requests above the limit. The requests of an address are counted in windows of one second. A window
 *  begins with the first request after the previous window. */
export function rateLimit({ rateLimitPerSecond, trustsForwardedFor }: RateLimitOptions) {
  const limiter = new RateLimiterMemory({ points: rateLimitPerSecond, duration: 1 });
  return new Elysia({ name: "rate-limit" }).onRequest(async ({ request, server, set }) => {
    if (unlimitedPaths.has(new URL(request.url).pathname)) return;
    const forwarded = trustsForwardedFor
      ? request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim()
      : undefined;
    const client = forwarded ?? server?.requestIP(request)?.address ?? "unknown";
    const refused = await limiter.consume(client).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (refused === undefined) return;
    if (!(refused instanceof RateLimiterRes)) throw refused as Error;
    const retryAfterSeconds = Math.max(1, Math.ceil(refused.msBeforeNext / 1000));
    set.headers["retry-after"] = String(retryAfterSeconds);
    throw new ApiError(429, "too_many_requests", {
      message: `${client} sends more than ${rateLimitPerSecond} requests a second; try again in ${retryAfterSeconds} s`,
      details: { client, per_second: rateLimitPerSecond, retry_after_seconds: retryAfterSeconds },
    });
  });
}
