import type { Logger } from "pino";
import { Gauge, type Registry } from "prom-client";
import type { Clock } from "../../kit/clock.ts";
import type { HotTier } from "../../pipeline/hot/hot-tier.ts";
import type { FleetQueries } from "../../pipeline/store/telemetry-queries.ts";
import { FleetProjection, type FleetProjectionOptions } from "./fleet-projection.ts";

/** The pause between two reads of the store, if no process writes to the hot tier. */
const rereadMs = 2000;

/** Makes the fleet in a gateway's memory, and an instrument for the number of its GPUs. */
export function openFleet(options: {
  readonly hotTier: HotTier;
  readonly queries: FleetQueries;
  /** False if no process writes to the hot tier: the store is then read repeatedly. */
  readonly isHotTierWritten: boolean;
  readonly onArrived?: NonNullable<FleetProjectionOptions["onArrived"]>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
}): FleetProjection {
  const { queries, isHotTierWritten, registry } = options;
  const fleet = new FleetProjection({ ...options, store: queries, rereadMs: isHotTierWritten ? undefined : rereadMs });
  new Gauge({
    name: "telemetry_fleet_gpus",
    help: "GPUs in this gateway's memory",
    registers: [registry],
    collect() {
      this.set(fleet.gpuCount);
    },
  });
  new Gauge({
    name: "telemetry_fleet_mig_instances",
    help: "MIG instances in this gateway's memory",
    registers: [registry],
    collect() {
      this.set(fleet.instanceCount);
    },
  });
  return fleet;
}
