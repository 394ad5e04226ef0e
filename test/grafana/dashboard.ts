import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Static, type TObject, type TProperties, Type } from "@sinclair/typebox";

// The shape of a dashboard as Grafana stores it, as far as ours use it. Every object is closed: a member that is misspelled is refused.
// Source: https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/

const own = <Members extends TProperties>(members: Members): TObject<Members> =>
  Type.Object(members, { additionalProperties: false });
const texts = Type.Array(Type.String());
const some = Type.Optional(Type.Boolean());

const dataSource = own({
  type: Type.Union([Type.Literal("prometheus"), Type.Literal("grafana-postgresql-datasource")]),
  uid: Type.String(),
});
const promqlTarget = own({
  ...{ refId: Type.String({ pattern: "^[A-Z]$" }), datasource: dataSource, expr: Type.String({ minLength: 1 }) },
  ...{ legendFormat: Type.String(), instant: some, range: some },
});
const sqlTarget = own({
  ...{ refId: Type.String(), format: Type.Union([Type.Literal("table"), Type.Literal("time_series")]) },
  ...{ rawQuery: Type.Literal(true), editorMode: Type.Literal("code"), rawSql: Type.String({ minLength: 1 }) },
  datasource: Type.Optional(dataSource),
});
const reduce = own({ calcs: texts, fields: Type.Literal(""), values: Type.Boolean() });
const mode = Type.Union([Type.Literal("none"), Type.Literal("area")]);
const options = own({
  legend: Type.Optional(
    own({ displayMode: Type.Literal("list"), placement: Type.Literal("bottom"), showLegend: Type.Boolean() }),
  ),
  tooltip: Type.Optional(own({ mode: Type.Literal("multi"), sort: Type.Literal("desc") })),
  reduceOptions: Type.Optional(reduce),
  ...{ colorMode: Type.Optional(mode), graphMode: Type.Optional(mode) },
  ...{ orientation: Type.Optional(Type.Literal("horizontal")), displayMode: Type.Optional(Type.Literal("basic")) },
  ...{ showHeader: some, cellHeight: Type.Optional(Type.Literal("sm")) },
});
const stacking = own({ mode: Type.Literal("normal"), group: Type.String() });
const custom = own({
  ...{ fillOpacity: Type.Optional(Type.Number()), stacking: Type.Optional(stacking), filterable: some },
  drawStyle: Type.Optional(Type.Literal("bars")),
});
const panel = own({
  id: Type.Integer({ minimum: 1 }),
  type: Type.Union(["timeseries", "stat", "table", "bargauge"].map((type) => Type.Literal(type))),
  ...{ title: Type.String({ minLength: 1 }), description: Type.Optional(Type.String()) },
  gridPos: own({
    ...{ x: Type.Integer({ minimum: 0 }), y: Type.Integer({ minimum: 0 }) },
    ...{ w: Type.Integer({ minimum: 1, maximum: 24 }), h: Type.Integer({ minimum: 1 }) },
  }),
  datasource: dataSource,
  fieldConfig: own({
    defaults: own({
      ...{ unit: Type.String(), min: Type.Optional(Type.Number()), max: Type.Optional(Type.Number()) },
      custom: Type.Optional(custom),
    }),
    overrides: Type.Array(Type.Never()),
  }),
  targets: Type.Array(Type.Union([promqlTarget, sqlTarget]), { minItems: 1 }),
  options,
});
const ofVariable = {
  ...{ name: Type.String({ pattern: "^[a-z_]+$" }), label: Type.String(), hide: Type.Literal(0) },
  ...{ multi: Type.Boolean(), includeAll: Type.Boolean() },
  current: own({ text: Type.Optional(texts), value: Type.Optional(texts) }),
};
const ofQuery = {
  ...{ ...ofVariable, type: Type.Literal("query"), datasource: dataSource, definition: Type.String() },
  ...{ refresh: Type.Literal(2), sort: Type.Literal(1), regex: Type.Literal("") },
};
const variable = Type.Union([
  own({ ...ofQuery, query: own({ query: Type.String(), refId: Type.String(), qryType: Type.Literal(5) }) }),
  own({ ...ofQuery, query: Type.String() }),
  own({ ...ofVariable, type: Type.Literal("custom"), query: Type.String(), options: Type.Array(Type.Never()) }),
]);
const annotation = own({
  ...{ name: Type.String(), datasource: dataSource, enable: Type.Boolean(), hide: Type.Boolean() },
  ...{ iconColor: Type.String(), target: sqlTarget },
});
const link = own({
  ...{ type: Type.Literal("dashboards"), title: Type.String(), tags: texts, asDropdown: Type.Boolean() },
  ...{ includeVars: Type.Boolean(), keepTime: Type.Boolean(), targetBlank: Type.Boolean() },
  ...{ icon: Type.String(), tooltip: Type.String(), url: Type.String() },
});

/** A dashboard's file. */
export const dashboardSchema = own({
  ...{ uid: Type.String({ pattern: "^[a-z-]{1,40}$" }), title: Type.String(), description: Type.String() },
  ...{ tags: Type.Tuple([Type.Literal("telemetry")]), schemaVersion: Type.Literal(39), version: Type.Integer() },
  ...{ editable: Type.Boolean(), timezone: Type.Literal(""), refresh: Type.String({ pattern: "^\\d+[sm]$" }) },
  time: own({ from: Type.String({ pattern: "^now-\\d+[hd]$" }), to: Type.Literal("now") }),
  templating: own({ list: Type.Array(variable) }),
  annotations: own({ list: Type.Array(annotation) }),
  links: Type.Array(link),
  panels: Type.Array(panel, { minItems: 1 }),
});

export type Dashboard = Static<typeof dashboardSchema>;
export type Variable = Static<typeof variable>;

const folder = join(import.meta.dir, "../../deployments/helm/telemetry-pipeline/dashboards");

/** The dashboards, by the names of their files. */
export const dashboards: ReadonlyMap<string, Dashboard> = new Map(
  readdirSync(folder)
    .sort()
    .map((name) => [name, JSON.parse(readFileSync(join(folder, name), "utf8")) as Dashboard]),
);
