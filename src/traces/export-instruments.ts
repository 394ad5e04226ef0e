import { Counter, type Registry } from "prom-client";
import type { RepeatedError } from "../kit/repeated-error.ts";
import type { ExportListener } from "./counted-export.ts";

/** Counts in Prometheus instruments how many spans were sent or dropped, and logs when they cannot be sent. */
export function countSpans(registry: Registry, failing: RepeatedError): ExportListener {
  const exported = new Counter({
    name: "telemetry_exported_spans_total",
    help: "Spans of traces that the receiver at OTEL_EXPORTER_OTLP_ENDPOINT has taken",
    registers: [registry],
  });
  const dropped = new Counter({
    name: "telemetry_dropped_spans_total",
    help: "Spans that were dropped: queue_full, more than OTEL_BSP_MAX_QUEUE_SIZE waited; export_failed, the receiver did not take them",
    labelNames: ["reason"],
    registers: [registry],
  });
  return {
    exported: (spans) => {
      exported.inc(spans);
      failing.clear();
    },
    dropped: (reason, spans) => dropped.inc({ reason }, spans),
    failed: (error) => failing.record(error),
  };
}
