import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { ApiError } from "./api-error.ts";

/** Counts the requests of each client in windows of one second. A window begins with the first request after the previous window. */
export class PerSecond {
  private readonly limiter: RateLimiterMemory;

  /** @param max for one client, at least 1
   *  @param what what is counted, for the message: `requests a second` */
  constructor(
    private readonly max: number,
    private readonly what: string,
  ) {
    this.limiter = new RateLimiterMemory({ points: max, duration: 1 });
  }

  /** Counts requests of a client.
   *  @param requests how many; more than `max` count as `max`
   *  @returns the refusal if the client has used up its second */
  async count(client: string, requests: number): Promise<ApiError | undefined> {
    const refused = await this.limiter.consume(client, Math.min(requests, this.max)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (refused === undefined) return undefined;
    if (!(refused instanceof RateLimiterRes)) throw refused as Error;
    const retryAfterSeconds = Math.max(1, Math.ceil(refused.msBeforeNext / 1000));
    return new ApiError(429, "too_many_requests", {
      message: `${client} sends more than ${this.max} ${this.what}; try again in ${retryAfterSeconds} s`,
      details: { client, per_second: this.max, retry_after_seconds: retryAfterSeconds },
    });
  }
}
