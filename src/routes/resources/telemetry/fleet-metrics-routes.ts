import { Elysia } from "elysia";
import { type ExpositionFormat, FleetExposition } from "../../answers/exposition/fleet-exposition.ts";
import { ApiError } from "../../http/api-error.ts";
import { expositionFormatOf } from "../../http/formats/negotiate.ts";
import { textAnswer } from "../../http/formats/text-answer.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { gpuSelection } from "../../http/parameters/common.ts";
import { flag, type ValuesOf, withDefault } from "../../http/parameters/parameter.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { ResourceParts } from "../resource.ts";

const query = {
  ...gpuSelection,
  timestamps: withDefault(
    flag("true: each sample has the instant of its measurement; false: the reader's time of the scrape counts"),
    false,
  ),
};

const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

type Parts = Pick<ResourceParts, "viewOf" | "fleetMetrics">;

/** The route of the fleet's newest values in the form of an exporter. */
export function fleetMetricsRoutes({ viewOf, fleetMetrics }: Parts) {
  return new Elysia({ name: "fleet-metrics" }).get(
    "/metrics/fleet",
    ({ request, query: { timestamps: withTimestamps, ...selection } }) => {
      if (!fleetMetrics.areServed) throw notServed();
      const format = expositionFormatOf(request);
      const records = recentRecords(viewOf(request).fleet, selection, fleetMetrics.staleAfterMs);
      const parts = () => new FleetExposition(records, { format, withTimestamps }).parts();
      return textAnswer({ request, contentType: contentTypes[format], parts });
    },
    { ...accepts(query), detail },
  );
}

/** A GPU that is silent is left out, so that its series end, as they do when an exporter no longer answers. */
function recentRecords(fleet: Fleet, selection: Partial<ValuesOf<typeof gpuSelection>>, staleAfterMs: number) {
  const sinceMs = fleet.nowMs() - staleAfterMs;
  const reporting = fleet.members(selectorOf(selection)).filter(({ gpu }) => gpu.reportedAtMs >= sinceMs);
  return reporting.flatMap(({ record }) => (record !== undefined && record.timeMs >= sinceMs ? [record] : []));
}

function notServed(): ApiError {
  const message = "This gateway does not serve the fleet's metrics; METRICS_FLEET=true makes it serve them";
  return new ApiError(404, "not_found", { message, details: { setting: "METRICS_FLEET" } });
}

const detail = operation({
  id: "getFleetMetrics",
  tag: "telemetry",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Newest values of all GPUs, for Prometheus",
  description:
    "In Prometheus' text format 0.0.4 or OpenMetrics 1.0, as Accept prefers, under the names and labels of dcgm-exporter up to 4.8. GPUs " +
    "that have been silent for METRICS_FLEET_STALE_AFTER are left out. 404 without METRICS_FLEET=true.",
  text: 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu-01",cluster="local-cluster"} 72\n',
  alsoAs: ["application/openmetrics-text"],
  errors: [400, 404, 500, 503],
});
