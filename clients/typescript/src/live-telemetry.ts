import { Follower } from "./follower.ts";
import type { LiveOptions } from "./live-options.ts";

/** A subscription that lasts until it is closed: it survives broken connections and restarts of gateways. */
export interface LiveTelemetry {
  close(): void;
  /** Resolves when the subscription is closed.
   *  @throws SubscriptionRefused if the gateway refuses the subscription; it is not tried again */
  readonly ended: Promise<void>;
}

/** Follows the newest records over /ws. When the connection breaks, it connects again and requests the records of the
 *  meantime. A GPU's newest record may then come twice; none is missed that the gateway's history has. */
export function liveTelemetry(options: LiveOptions): LiveTelemetry {
  const follower = new Follower(options);
  return { close: () => follower.close(), ended: follower.ended };
}
