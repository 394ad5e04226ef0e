import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { type Labels, nameLabel } from "../../../promql/labels.ts";
import { metricNameOf } from "../../../domain/dialects/spelling-of.ts";
import { badData } from "../../../promql/promql-error.ts";
import { fleetSeries } from "../../answers/promql/fleet-series.ts";
import { listedNames } from "../../answers/promql/series-names.ts";
import { jsonUnread } from "../../http/formats/head-of.ts";
import type { ResourceParts, ViewOf } from "../resource.ts";
import { limited, promqlAnswer } from "./promql-answer.ts";
import { asked, posted } from "./promql-detail.ts";
import { limitIn, selectorsIn, timeIn } from "./promql-form.ts";
import { seriesListSchema, textsSchema } from "./promql-schemas.ts";
import { metricOf } from "./query-data.ts";

/** The routes of the series that there are. */
export function seriesRoutes({ viewOf, clock }: Pick<ResourceParts, "viewOf" | "clock">) {
  const all = ({ request }: { readonly request: Request }) =>
    promqlAnswer(request, clock, (form) => {
      if (!form.has("match[]")) throw badData("no match[] parameter provided");
      return limited(seriesIn(viewOf, request, form).map(metricOf), limitIn(form));
    });
  const names = ({ request }: { readonly request: Request }) =>
    promqlAnswer(request, clock, (form) => {
      const series = seriesIn(viewOf, request, form);
      return limited(sorted(series.flatMap((labels) => [...labels.keys()])), limitIn(form));
    });
  return new Elysia({ name: "promql-series", prefix: "/api/v1" })
    .get("/series", all, { ...asked(seriesText), ...jsonUnread })
    .post("/series", all, posted(seriesText))
    .get("/labels", names, { ...asked(labelsText), ...jsonUnread })
    .post("/labels", names, posted(labelsText))
    .get(
      "/label/:name/values",
      ({ request, params: { name } }) =>
        promqlAnswer(request, clock, (form) => {
          if (typeof name !== "string") throw badData("the percent-encoding of the path is broken");
          const series = seriesIn(viewOf, request, form);
          const texts = series.flatMap((labels) => textsOf(labels, name, form.has("match[]")));
          return limited(sorted(texts), limitIn(form));
        }),
      { ...asked(valuesText), ...jsonUnread, params },
    );
}

function seriesIn(viewOf: ViewOf, request: Request, form: URLSearchParams): readonly Labels[] {
  const range = { fromMs: timeIn(form, "start") ?? -Infinity, toMs: timeIn(form, "end") ?? Infinity };
  return fleetSeries(viewOf(request).fleet, selectorsIn(form), range);
}

/** Without a selector, a metric is listed under each name by which it is commonly asked for. */
function textsOf(labels: Labels, name: string, isSelected: boolean): readonly string[] {
  const text = labels.get(name);
  if (text === undefined) return [];
  return name === nameLabel && !isSelected ? listedNames(metricNameOf(text)) : [text];
}

function sorted(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}

const nameSchema = Type.String({ description: "Name of the label", examples: ["Hostname"] });
/** Only documented here: a path whose encoding is broken has no name. */
const params = Type.Unsafe<{ readonly name: unknown }>(
  Type.Any({ type: "object", properties: { name: nameSchema }, required: ["name"] }),
);
const timeForms = "seconds since the epoch, or RFC 3339";
const range = {
  start: { description: `Leaves out devices that have not reported since then: ${timeForms}` },
  end: { description: `Leaves out devices that had not reported by then: ${timeForms}` },
  limit: { description: "At most this many elements; 0: all" },
};
const match = {
  description: "A series selector; may be given several times",
  isList: true,
  example: "DCGM_FI_DEV_GPU_TEMP",
} as const;
const present =
  "Lists the series of the newest records of devices: a pod that has ended is not listed, but a query finds it.";

const seriesText = {
  id: "promqlSeries",
  summary: "Series by their labels",
  description: `In the form of Prometheus' HTTP API. ${present}`,
  selectors: "narrowed",
  plain: seriesListSchema,
  parameters: { "match[]": { ...match, isRequired: true }, ...range },
} as const;

const labelsText = {
  id: "promqlLabels",
  summary: "Names of labels",
  description: `In the form of Prometheus' HTTP API. ${present}`,
  selectors: "narrowed",
  plain: textsSchema,
  parameters: { "match[]": match, ...range },
} as const;

const valuesText = {
  id: "promqlLabelValues",
  summary: "Values of a label",
  description:
    `In the form of Prometheus' HTTP API; __name__ lists the names of metrics. ${present} ` +
    "For a label that no series has, the list is empty.",
  selectors: "narrowed",
  plain: textsSchema,
  parameters: { "match[]": match, ...range },
} as const;
