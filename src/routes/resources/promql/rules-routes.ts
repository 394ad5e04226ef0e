import { Elysia } from "elysia";
import type { Clock } from "../../../kit/clock.ts";
import { parse } from "../../../promql/language/parse.ts";
import { badData } from "../../../promql/promql-error.ts";
import { jsonUnread } from "../../http/formats/head-of.ts";
import { promqlAnswer } from "./promql-answer.ts";
import { asked, posted } from "./promql-detail.ts";
import { queryIn, timeIn } from "./promql-form.ts";
import { alertsSchema, exemplarsSchema, rulesSchema } from "./promql-schemas.ts";

/** The routes of what a Prometheus may have and a gateway never has: rules, their alerts, and exemplars. Grafana asks for them whatever
 *  the data source is, and shows an error if they have no answer. */
export function rulesRoutes(clock: Clock) {
  const exemplars = ({ request }: { readonly request: Request }) =>
    promqlAnswer(request, clock, (form) => {
      parse(queryIn(form));
      const [startMs = -Infinity, endMs = Infinity] = [timeIn(form, "start"), timeIn(form, "end")];
      if (endMs < startMs) throw badData("end timestamp must not be before start timestamp");
      return { data: [] };
    });
  return new Elysia({ name: "promql-rules", prefix: "/api/v1" })
    .get(
      "/rules",
      ({ request }) =>
        promqlAnswer(request, clock, (form) => {
          const type = form.get("type") ?? "";
          if (!["", "alert", "record"].includes(type.toLowerCase())) {
            throw badData(`invalid parameter "type": not supported value ${JSON.stringify(type)}`);
          }
          return { data: { groups: [] } };
        }),
      { ...asked(rulesText), ...jsonUnread },
    )
    .get("/alerts", ({ request }) => promqlAnswer(request, clock, () => ({ data: { alerts: [] } })), {
      ...asked(alertsText),
      ...jsonUnread,
    })
    .get("/query_exemplars", exemplars, { ...asked(exemplarsText), ...jsonUnread })
    .post("/query_exemplars", exemplars, posted(exemplarsText));
}

const rulesText = {
  id: "promqlRules",
  summary: "Rules of Prometheus, of which there are none",
  description: "In the form of Prometheus' HTTP API. What is wrong with GPUs is at /api/v1/faults.",
  selectors: "same",
  plain: rulesSchema,
  parameters: { type: { description: "alert or record" } },
} as const;

const alertsText = {
  id: "promqlAlerts",
  summary: "Alerts of Prometheus' rules, of which there are none",
  description: "In the form of Prometheus' HTTP API. What is wrong with GPUs is at /api/v1/faults.",
  selectors: "same",
  plain: alertsSchema,
  parameters: {},
} as const;

const exemplarsText = {
  id: "promqlExemplars",
  summary: "Exemplars, of which there are none",
  description: "In the form of Prometheus' HTTP API. Exporters of GPUs have no exemplars.",
  selectors: "same",
  plain: exemplarsSchema,
  parameters: {
    query: { description: "A query in PromQL", isRequired: true, example: "DCGM_FI_DEV_GPU_TEMP" },
    start: { description: "Seconds since the epoch, or RFC 3339" },
    end: { description: "Seconds since the epoch, or RFC 3339" },
  },
} as const;
