import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Attempt } from "../../../access/attempt.ts";
import { clientNetwork } from "../../../kit/ip-address.ts";
import { ApiError } from "../api-error.ts";

/** Counts, by address, the requests that show no valid credential, and the checks of tokens that were not seen before. Both cost the
 *  process time, and no key's limit counts them. It is counted in windows of one second. A valid credential that is in memory is never refused
 *  here, so a flood does not lock out others behind the same address. */
export class UnauthenticatedLimit {
  private readonly limiter: RateLimiterMemory;

  /** @param perSecond for one address; 0: no limit */
  constructor(private readonly perSecond: number) {
    this.limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  }

  /** @param requests how many requests it counts as
   *  @throws ApiError 429 if the address has used up its second */
  async count(address: string, requests = 1): Promise<void> {
    if (this.perSecond === 0) return;
    const client = clientNetwork(address) ?? (address || "unknown");
    const refused = await this.limiter.consume(client, Math.min(requests, this.perSecond)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (refused === undefined) return;
    if (!(refused instanceof RateLimiterRes)) throw refused as Error;
    const retryAfterSeconds = Math.max(1, Math.ceil(refused.msBeforeNext / 1000));
    throw new ApiError(429, "too_many_requests", {
      message: `${client} sends more than ${this.perSecond} requests a second without a valid key; try again in ${retryAfterSeconds} s`,
      details: { client, per_second: this.perSecond, retry_after_seconds: retryAfterSeconds },
    });
  }

  /** The check of the credential of one request, which counts once. */
  attempt(address: string): AddressAttempt {
    return new AddressAttempt(() => this.count(address));
  }
}

/** The check of the credential of one request. */
class AddressAttempt implements Attempt {
  /** Why the credential is not valid; undefined if no source has said. */
  reason: string | undefined;
  private counted: Promise<void> | undefined;

  constructor(private readonly count: () => Promise<void>) {}

  admit(): Promise<void> {
    return (this.counted ??= this.count());
  }

  reject(reason: string): void {
    this.reason = reason;
  }
}
