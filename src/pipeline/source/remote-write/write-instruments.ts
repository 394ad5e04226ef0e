import { Counter, type Registry } from "prom-client";
import { sampleOutcomes, type WriteCounts } from "../remote-write.ts";

/** Counts in `/metrics` what became of the samples of remote write, or of OTLP.
 *  @returns a function that adds a request that was taken */
export function writeInstruments(registry: Registry, protocol: "remote_write" | "otlp"): (counts: WriteCounts) => void {
  const samples = new Counter({
    name: `telemetry_${protocol}_samples_total`,
    help: `Samples of ${protocol} by what became of them: stored, rejected, or dropped by a rule: no_gpu (the series is no GPU's), no_value (NaN), stale (the series ended), other_spelling, histogram, exemplar`,
    labelNames: ["outcome"],
    registers: [registry],
  });
  return (counts) => {
    for (const outcome of sampleOutcomes) samples.inc({ outcome }, counts.of(outcome));
    samples.inc({ outcome: "histogram" }, counts.histograms);
    samples.inc({ outcome: "exemplar" }, counts.exemplars);
  };
}
