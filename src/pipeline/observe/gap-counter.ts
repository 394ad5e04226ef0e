import { Counter, type Registry } from "prom-client";
import type { OnMissed } from "../../domain/reading.ts";

/** Counts the due readings that a streamer misses, as soon as they are missed. The counters of collectors have them when they are stored;
 *  while nothing can be published, that is later, or never. */
export function gapCounter(registry: Registry): OnMissed {
  const gaps = new Counter({
    name: "telemetry_source_gaps_total",
    help: "Due readings that this process's live sources missed, or read and dropped (memory_full), by reason, stored or not",
    labelNames: ["reason"],
    registers: [registry],
  });
  return (reason, count) => gaps.inc({ reason }, count);
}
