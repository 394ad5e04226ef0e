import { Gauge, type Registry } from "prom-client";
import type { BackPressure } from "./back-pressure.ts";

/** Exports the share of the full rate at which a streamer publishes. */
export function showPace(backPressure: BackPressure, registry: Registry): void {
  new Gauge({
    name: "telemetry_publish_pace_ratio",
    help: "Share of the full rate at which the streamer publishes: 1 unless the queue fills",
    registers: [registry],
    collect() {
      this.set(backPressure.pace);
    },
  });
}
