import type { Logger } from "pino";
import { Gauge, type Registry } from "prom-client";
import type { Clock } from "../../kit/clock.ts";
import type { HotTier } from "../../pipeline/hot/hot-tier.ts";
import type { FleetQueries } from "../../pipeline/store/telemetry-queries.ts";
import { FleetProjection } from "./fleet-projection.ts";

/** What others store without telling this process's hot tier is seen this much later. */
const rereadMs = 2000;

/** The fleet in a gateway's memory.
 *  @param isTold false where nobody writes into the hot tier: the store is read again and again instead */
export function openFleet(options: {
  readonly hotTier: HotTier;
  readonly queries: FleetQueries;
  readonly isTold: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
}): FleetProjection {
  const { queries, isTold, registry } = options;
  const fleet = new FleetProjection({ ...options, store: queries, rereadMs: isTold ? undefined : rereadMs });
  new Gauge({
    name: "telemetry_fleet_gpus",
    help: "GPUs that this gateway knows",
    registers: [registry],
    collect() {
      this.set(fleet.isLoaded ? fleet.members().length : 0);
    },
  });
  return fleet;
}
