import { Counter, type Registry } from "prom-client";
import { sampleOutcomes, type WriteCounts } from "../remote-write.ts";

/** Counts in `/metrics` what became of the samples of remote write.
 *  @returns a function that adds a request that was taken */
export function writeInstruments(registry: Registry): (counts: WriteCounts) => void {
  const samples = new Counter({
    name: "telemetry_remote_write_samples_total",
    help: "Samples of remote write by what became of them: stored, rejected, or dropped by a rule: no_gpu (the series is no GPU's), no_value (NaN), stale (the series ended), other_spelling, histogram, exemplar",
    labelNames: ["outcome"],
    registers: [registry],
  });
  return (counts) => {
    for (const outcome of sampleOutcomes) samples.inc({ outcome }, counts.of(outcome));
    samples.inc({ outcome: "histogram" }, counts.histograms);
    samples.inc({ outcome: "exemplar" }, counts.exemplars);
  };
}
