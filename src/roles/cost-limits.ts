import type { Config } from "../config/parse-config.ts";
import type { CostLimits } from "./gateway-routes.ts";

/** What a client may cost where keys are required: a share of what the database can answer. Two heavy questions read about 60 million
 *  rows a minute. */
const ofKeys: CostLimits = {
  heavyPerClient: 2,
  rowsPerMinute: 20_000_000,
  sockets: 200,
  subscriptions: 2000,
  exports: 4,
};

/** The limits of a client. Where no key is required, a client has none unless it is set: it is the only one, or stands for many behind
 *  one address. */
export function costLimits(config: Config, isKeyRequired: boolean): CostLimits {
  const byDefault = isKeyRequired
    ? ofKeys
    : { heavyPerClient: config.maxHeavyQueries, rowsPerMinute: 0, sockets: 0, subscriptions: 0, exports: 0 };
  return {
    heavyPerClient: config.clientMaxHeavyQueries ?? byDefault.heavyPerClient,
    rowsPerMinute: config.clientRowsPerMinute ?? byDefault.rowsPerMinute,
    sockets: config.clientMaxSockets ?? byDefault.sockets,
    subscriptions: config.clientMaxSubscriptions ?? byDefault.subscriptions,
    exports: config.clientMaxExports ?? byDefault.exports,
  };
}
