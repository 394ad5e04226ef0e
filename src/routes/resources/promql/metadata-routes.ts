import { Elysia } from "elysia";
import type { Clock } from "../../../kit/clock.ts";
import { metadataOfNames } from "../../answers/promql/series-names.ts";
import { jsonUnread } from "../../http/formats/head-of.ts";
import { promqlAnswer } from "./promql-answer.ts";
import { asked } from "./promql-detail.ts";
import { limitIn } from "./promql-form.ts";
import { buildSchema, metadataSchema } from "./promql-schemas.ts";

/** The Prometheus that the answers are compared with (`bun run test:promql`): Grafana chooses by it what it asks for. */
const build = {
  ...{ version: "2.53.3", revision: "gpu-telemetry-pipeline", branch: "", buildUser: "", buildDate: "" },
  goVersion: "",
};

/** The routes of what is known about metrics, and of the version. */
export function metadataRoutes(clock: Clock) {
  return new Elysia({ name: "promql-metadata", prefix: "/api/v1" })
    .get(
      "/metadata",
      ({ request }) =>
        promqlAnswer(request, clock, (form) => {
          const wanted = form.get("metric");
          const known = metadataOfNames().filter(({ name }) => wanted === null || name === wanted);
          const limit = limitIn(form) ?? 0;
          const listed = limit === 0 ? known : known.slice(0, limit);
          return { data: Object.fromEntries(listed.map(({ name, ...about }) => [name, [{ ...about, unit: "" }]])) };
        }),
      { ...asked(metadataText), ...jsonUnread },
    )
    .get("/status/buildinfo", ({ request }) => promqlAnswer(request, clock, () => ({ data: build })), {
      ...asked(buildText),
      ...jsonUnread,
    });
}

const metadataText = {
  id: "promqlMetadata",
  summary: "Types and descriptions of metrics",
  description: "Of each metric of the catalogue, by its names in dcgm-exporter, in the form of Prometheus' HTTP API.",
  selectors: "same",
  plain: metadataSchema,
  parameters: {
    metric: { description: "Only the metric with this name", example: "DCGM_FI_DEV_GPU_TEMP" },
    limit: { description: "At most this many metrics; 0: all" },
  },
} as const;

const buildText = {
  id: "promqlBuild",
  summary: "Version of Prometheus whose API this one follows",
  description: "Grafana reads it to find out which features there are.",
  selectors: "same",
  plain: buildSchema,
  parameters: {},
} as const;
