import { Follower } from "./follower.ts";
import type { LiveOptions } from "./live-options.ts";

/** A subscription that survives broken connections and restarts of gateways. It lasts until it is closed or refused. */
export interface LiveTelemetry {
  close(): void;
  /** Resolves when the subscription is closed. Rejects with SubscriptionRefused if the gateway refuses the subscription, which
   *  is then not requested again. */
  readonly ended: Promise<void>;
}

/** Follows the newest records over /ws. When the connection breaks, the client reconnects and requests the records that it
 *  missed. A GPU's newest record may then arrive twice. Records may still be missing if the gateway cannot send all of them
 *  (its message `replayed` then has `truncated`, or it sends `skipped`), or if their GPU was more than a minute behind the
 *  newest record before the break.
 *  @throws SyntaxError if baseUrl is not a usable URL */
export function liveTelemetry(options: LiveOptions): LiveTelemetry {
  const follower = new Follower(options);
  return { close: () => follower.close(), ended: follower.ended };
}
