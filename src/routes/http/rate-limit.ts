import { Elysia } from "elysia";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { clientNetwork } from "../../kit/ip-address.ts";
import { type AddressServer, clientAddress } from "./access/client-address.ts";
import { ApiError } from "./api-error.ts";
import { pathOf } from "./door/request-path.ts";

export interface RateLimitOptions {
  /** Maximum number of requests and of operations over sockets a second from one client. */
  readonly rateLimitPerSecond: number;
  /** True if the last address of X-Forwarded-For is the client's: only behind a proxy that sets this header. */
  readonly trustsForwardedFor: boolean;
}

/** Counts what each client asks. A client is an IPv4 address, or the network of an IPv6 address. It is counted in windows of one second.
 *  A window begins with the first request after the previous window. */
export class RateLimit {
  private readonly limiter: RateLimiterMemory;

  constructor(private readonly options: RateLimitOptions) {
    this.limiter = new RateLimiterMemory({ points: options.rateLimitPerSecond, duration: 1 });
  }

  /** The client that sends a request. */
  clientOf(request: Request, server: AddressServer | null): string {
    const client = clientAddress(request, server, this.options.trustsForwardedFor) ?? "unknown";
    return clientNetwork(client) ?? client;
  }

  /** Counts a request, or an operation over a socket.
   *  @returns the refusal if the client has used up its second */
  async count(client: string): Promise<ApiError | undefined> {
    const refused = await this.limiter.consume(client).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (refused === undefined) return undefined;
    if (!(refused instanceof RateLimiterRes)) throw refused as Error;
    const { rateLimitPerSecond } = this.options;
    const retryAfterSeconds = Math.max(1, Math.ceil(refused.msBeforeNext / 1000));
    return new ApiError(429, "too_many_requests", {
      message: `${client} sends more than ${rateLimitPerSecond} requests a second; try again in ${retryAfterSeconds} s`,
      details: { client, per_second: rateLimitPerSecond, retry_after_seconds: retryAfterSeconds },
    });
  }
}

/** Paths for operators and their tools, which are never limited. */
const unlimitedPaths: ReadonlySet<string> = new Set(["/health", "/health/live", "/health/ready", "/metrics"]);

/** Refuses a client's requests above the limit. */
export function rateLimit(limit: RateLimit) {
  return new Elysia({ name: "rate-limit" }).onRequest(async ({ request, server }) => {
    if (unlimitedPaths.has(pathOf(request.url))) return;
    const refused = await limit.count(limit.clientOf(request, server));
    if (refused !== undefined) throw refused;
  });
}
