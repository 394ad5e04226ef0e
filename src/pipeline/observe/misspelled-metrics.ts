import type { Logger } from "pino";
import { Counter, type Registry } from "prom-client";
import { quoted } from "../../domain/cut-text.ts";
import { OwnMetrics } from "../source/own-metrics.ts";
import { type PipelineListener, silentListener } from "./pipeline-listener.ts";

/** Logs and counts each metric that is stored under a name that is likely a misspelling of one of the catalogue, once. */
export function misspelledMetrics({
  registry,
  log,
}: {
  readonly registry: Registry;
  readonly log: Pick<Logger, "warn">;
}): PipelineListener {
  const ownMetrics = new OwnMetrics();
  const counter = new Counter({
    name: "telemetry_misspelled_metrics_total",
    help: "Names outside the catalogue that are likely misspellings of a metric of the catalogue, and under which this process has stored values; the log has each",
    registers: [registry],
  });
  return {
    ...silentListener,
    stored: ({ batch, source }) => {
      for (const { name, meant } of ownMetrics.add(batch)) {
        if (meant === undefined) continue;
        counter.inc();
        log.warn(
          { source: source.sourceId },
          `the metric ${quoted(name)} is not in the catalogue, and is stored under its own name (did you mean ${meant}?)`,
        );
      }
    },
  };
}
