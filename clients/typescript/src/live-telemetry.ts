import { Follower } from "./follower.ts";
import type { LiveOptions } from "./live-options.ts";

/** A subscription that lasts until it is closed: it survives broken connections and restarts of gateways. */
export interface LiveTelemetry {
  close(): void;
  /** Resolves when the subscription is closed.
   *  @throws SubscriptionRefused (the promise rejects) if the gateway refuses the subscription; there is no further attempt */
  readonly ended: Promise<void>;
}

/** Follows the newest records over /ws. When the connection breaks, the client reconnects and requests the records that it
 *  missed. A GPU's newest record may then arrive twice. No record in the gateway's history is missed, except those of a GPU
 *  that was more than a minute behind the others before the break. */
export function liveTelemetry(options: LiveOptions): LiveTelemetry {
  const follower = new Follower(options);
  return { close: () => follower.close(), ended: follower.ended };
}
