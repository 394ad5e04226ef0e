import type { Attempt } from "../../../access/attempt.ts";
import { clientNetwork } from "../../../kit/ip-address.ts";
import { PerSecond } from "../per-second.ts";

/** Counts, by address, the requests that show no valid credential, and the checks of tokens that were not seen before. Both cost the
 *  process time, and no key's limit counts them. A valid credential that is in memory is never refused
 *  here, so a flood does not lock out others behind the same address. */
export class UnauthenticatedLimit {
  private readonly limit: PerSecond | undefined;

  /** @param perSecond for one address; 0: no limit */
  constructor(perSecond: number) {
    this.limit = perSecond === 0 ? undefined : new PerSecond(perSecond, "requests a second without a valid key");
  }

  /** @param requests how many requests it counts as
   *  @throws ApiError 429 if the address has used up its second */
  async count(address: string, requests = 1): Promise<void> {
    const refused = await this.limit?.count(clientNetwork(address) ?? (address || "unknown"), requests);
    if (refused !== undefined) throw refused;
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
