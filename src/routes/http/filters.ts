import { Type } from "@sinclair/typebox";
import { metricIndexOf } from "../../domain/metrics.ts";
import { invalidParameter } from "./api-error.ts";

/** Metrics that an answer may be narrowed to, or that are summed up at a time. */
const metricsMax = 20;

/** The parameter that narrows records to some metrics. */
export const metricsParameter = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 1000,
    description: "Names of /api/v1/metrics with commas between them; only these come, default all",
    examples: ["temperature,power_draw"],
  }),
);

/** The parameter for the order of records. */
export const orderParameter = Type.Optional(
  Type.String({
    pattern: "^(asc|desc)$",
    default: "asc",
    description: "Asc for the oldest record first, desc for the newest",
    examples: ["desc"],
  }),
);

/** @returns the names, each once
 *  @throws ApiError 400 for a name that the catalogue does not have, or too many */
export function metricsOf(text: string): readonly string[] {
  const names = [...new Set(text.split(","))];
  const unknown = names.find((name) => metricIndexOf(name) === undefined);
  if (unknown === undefined && names.length <= metricsMax) return names;
  throw invalidParameter({
    parameter: "metrics",
    value: text,
    problem: unknown === undefined ? `${names.length} names` : `there is no metric ${JSON.stringify(unknown)}`,
    expected: `1 to ${metricsMax} names of /api/v1/metrics, with commas between them`,
  });
}

/** Some metrics of a record, and none that the catalogue does not know. */
export function narrowed<Of extends { readonly metrics: Readonly<Record<string, unknown>> }>(
  record: Of,
  names: readonly string[] | undefined,
): Of {
  if (names === undefined) return record;
  const metrics = Object.fromEntries(
    names.flatMap((name) => (name in record.metrics ? [[name, record.metrics[name]]] : [])),
  );
  return { ...record, metrics, ...("custom" in record ? { custom: {} } : {}) };
}
