import { Elysia } from "elysia";
import { Histogram, type Registry } from "prom-client";
import { stopwatch } from "../../kit/clock.ts";

/** The upper bounds of the buckets: the lowest is for a list in memory, the highest for a page of 10,000 records. */
const bucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const countedMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]);

/** The name of the instrument. */
export const requestDuration = "telemetry_http_request_duration_seconds";

/** Measures every request by method, route pattern and status. Clients cannot add values to these labels. */
export function httpInstruments(registry: Registry) {
  const duration = new Histogram({
    name: requestDuration,
    help: "Time from a request's arrival to its response",
    labelNames: ["method", "route", "status"],
    buckets: bucketsSeconds,
    registers: [registry],
  });
  const elapsedMs = new WeakMap<Request, () => number>();
  return new Elysia({ name: "http-metrics" })
    .onRequest(({ request }) => {
      elapsedMs.set(request, stopwatch());
    })
    .onAfterResponse({ as: "global" }, ({ request, route, set, responseValue }) => {
      const elapsed = elapsedMs.get(request);
      if (elapsed === undefined) return;
      const method = countedMethods.has(request.method) ? request.method : "other";
      const status = responseValue instanceof Response ? responseValue.status : Number(set.status ?? 200);
      // requests for unknown paths have no route, and share one label
      duration.observe({ method, route: route || "unmatched", status }, elapsed() / 1000);
    });
}
