import { type TSchema, Type } from "@sinclair/typebox";

function answerSchema(id: string, description: string, { data, example }: { data: TSchema; example: unknown }) {
  return Type.Object(
    {
      status: Type.Literal("success"),
      data,
      warnings: Type.Optional(Type.Array(Type.String(), { description: "What the answer lacks" })),
    },
    { $id: id, additionalProperties: false, description, examples: [{ status: "success", data: example }] },
  );
}

const texts = Type.Array(Type.String());
const labels = Type.Record(Type.String(), Type.String(), {
  description: "The labels of a series, with its name as __name__",
});
const metric = { __name__: "DCGM_FI_DEV_GPU_TEMP", gpu: "0", Hostname: "gpu-01" };

/** The answer to a query. */
export const resultSchema = answerSchema("PromqlResult", "The answer to a query", {
  data: Type.Object({
    resultType: Type.String({ description: "vector, matrix, scalar or string" }),
    result: Type.Array(Type.Unknown(), {
      description:
        "Of a vector, the series with their `value`; of a matrix, with their `values`. A value is a pair of seconds since the epoch and a " +
        "number as text, which may be NaN, +Inf or -Inf. Of a scalar and a string, one pair",
    }),
  }),
  example: { resultType: "vector", result: [{ metric, value: [1_752_871_354, "72"] }] },
});

/** Why there is no answer. */
export const errorSchema = Type.Object(
  {
    status: Type.Literal("error"),
    errorType: Type.String({ description: "bad_data, execution, timeout or unavailable" }),
    error: Type.String({ description: "What is wrong, for people" }),
  },
  {
    ...{ $id: "PromqlError", additionalProperties: false, description: "Why a query has no answer" },
    examples: [{ status: "error", errorType: "bad_data", error: 'parse error: unknown function with name "rat"' }],
  },
);

/** The labels of series. */
export const seriesListSchema = answerSchema("PromqlSeries", "Series by their labels", {
  data: Type.Array(labels),
  example: [metric],
});

/** The names or texts of labels. */
export const textsSchema = answerSchema("PromqlTexts", "Names or values of labels", {
  data: texts,
  example: ["gpu-01"],
});

/** What is known about metrics. */
export const metadataSchema = answerSchema("PromqlMetadata", "Metrics by name, with type and description", {
  data: Type.Record(
    Type.String(),
    Type.Array(Type.Object({ type: Type.String(), help: Type.String(), unit: Type.String() })),
  ),
  example: { DCGM_FI_DEV_GPU_TEMP: [{ type: "gauge", help: "GPU temperature", unit: "" }] },
});

/** The Prometheus that the answers are like. */
export const buildSchema = answerSchema("PromqlBuild", "Version of Prometheus whose API this one follows", {
  data: Type.Record(Type.String(), Type.String()),
  example: { version: "2.53.0", revision: "gpu-telemetry-pipeline" },
});

/** Rules, of which there are none. */
export const rulesSchema = answerSchema("PromqlRules", "The groups of rules, of which there are none", {
  data: Type.Object({ groups: Type.Array(Type.Unknown()) }),
  example: { groups: [] },
});

/** Alerts of rules, of which there are none. */
export const alertsSchema = answerSchema("PromqlAlerts", "The alerts of rules, of which there are none", {
  data: Type.Object({ alerts: Type.Array(Type.Unknown()) }),
  example: { alerts: [] },
});

/** Exemplars, of which there are none. */
export const exemplarsSchema = answerSchema("PromqlExemplars", "Exemplars of series, of which there are none", {
  data: Type.Array(Type.Unknown()),
  example: [],
});
