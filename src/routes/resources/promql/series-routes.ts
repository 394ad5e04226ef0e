import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { type Labels, nameLabel } from "../../../promql/labels.ts";
import { metricNameOf } from "../../../domain/dialects/spelling-of.ts";
import { LabelsMap } from "../../../promql/labels-map.ts";
import { badData } from "../../../promql/promql-error.ts";
import { timeoutMaxMs, type Work } from "../../../promql/work.ts";
import { eachFleetSeries } from "../../answers/promql/fleet-series.ts";
import type { QueryTurns } from "../../answers/promql/query-turns.ts";
import { listedNames } from "../../answers/promql/series-names.ts";
import { jsonUnread } from "../../http/formats/head-of.ts";
import type { ResourceParts } from "../resource.ts";
import { type Answered, limited, limitedTexts, promqlAnswer } from "./promql-answer.ts";
import { asked, posted } from "./promql-detail.ts";
import { limitIn, selectorsIn, timeIn } from "./promql-form.ts";
import { seriesListSchema, textsSchema } from "./promql-schemas.ts";
import { metricOf } from "./query-data.ts";

interface Parts extends Pick<ResourceParts, "viewOf" | "clock"> {
  readonly turns: QueryTurns;
}

/** The routes of the series that there are. */
export function seriesRoutes(parts: Parts) {
  const all = ({ request }: { readonly request: Request }) =>
    promqlAnswer(request, parts.clock, (form) => seriesOf(parts, request, form));
  const names = ({ request }: { readonly request: Request }) =>
    promqlAnswer(request, parts.clock, async (form) => {
      const found = new Set<string>();
      await eachSeries({ ...parts, request, form }, (labels) => {
        for (const [name] of labels.entries()) found.add(name);
      });
      return limited([...found].sort(), limitIn(form));
    });
  return new Elysia({ name: "promql-series", prefix: "/api/v1" })
    .get("/series", all, { ...asked(seriesText), ...jsonUnread })
    .post("/series", all, posted(seriesText))
    .get("/labels", names, { ...asked(labelsText), ...jsonUnread })
    .post("/labels", names, posted(labelsText))
    .get(
      "/label/:name/values",
      ({ request, params: { name } }) =>
        promqlAnswer(request, parts.clock, async (form) => {
          if (typeof name !== "string") throw badData("the percent-encoding of the path is broken");
          const texts = new Set<string>();
          await eachSeries({ ...parts, request, form }, (labels) => {
            const text = labels.get(name);
            if (text !== undefined) texts.add(text);
          });
          return limited(listedTexts(texts, name, form), limitIn(form));
        }),
      { ...asked(valuesText), ...jsonUnread, params },
    );
}

/** The series without those that come again. */
function seriesOf(parts: Parts, request: Request, form: URLSearchParams): Promise<Answered> {
  if (!form.has("match[]")) throw badData("no match[] parameter provided");
  const limit = limitIn(form) ?? 0;
  return parts.turns.run(request, timeoutMaxMs, async (work) => {
    const found = new LabelsMap<Labels>();
    let count = 0;
    await eachSeriesIn({ ...parts, request, form, work }, (labels) => {
      if ((limit > 0 && count > limit) || found.has(labels)) return;
      found.set(labels, labels);
      count += 1;
      work.checkAnswer({ series: count, values: 0 });
    });
    const texts: string[] = [];
    for (const labels of found.values()) {
      await work.didSeries();
      texts.push(JSON.stringify(metricOf(labels)));
    }
    return limitedTexts(texts, limit);
  });
}

interface Asked extends Parts {
  readonly request: Request;
  readonly form: URLSearchParams;
}

/** Visits the series when it is the request's turn. */
function eachSeries(asked: Asked, visit: (labels: Labels) => void): Promise<void> {
  const { turns, request } = asked;
  return turns.run(request, timeoutMaxMs, (work) => eachSeriesIn({ ...asked, work }, visit));
}

function eachSeriesIn(
  { viewOf, request, form, work }: Asked & { readonly work: Work },
  visit: (labels: Labels) => void,
): Promise<void> {
  const range = { fromMs: timeIn(form, "start") ?? -Infinity, toMs: timeIn(form, "end") ?? Infinity };
  return eachFleetSeries({ fleet: viewOf(request).fleet, selectors: selectorsIn(form), range, work }, visit);
}

/** Without a selector, a metric is listed under each name by which it is commonly asked for. */
function listedTexts(texts: ReadonlySet<string>, name: string, form: URLSearchParams): readonly string[] {
  if (name !== nameLabel || form.has("match[]")) return [...texts].sort();
  return sorted([...texts].flatMap((text) => listedNames(metricNameOf(text))));
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
