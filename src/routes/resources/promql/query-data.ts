import { numberText } from "../../../promql/number-text.ts";
import type { Labels } from "../../../promql/labels.ts";
import type { Point, QueryResult } from "../../../promql/query.ts";

/** The answer to a query, as `data` of Prometheus' HTTP API.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats */
export function queryData(result: QueryResult) {
  const { type: resultType } = result;
  switch (result.type) {
    case "scalar":
      return { resultType, result: pair(result.point) };
    case "string":
      return { resultType, result: [result.timeMs / 1000, result.text] };
    case "vector":
      return {
        resultType,
        result: result.series.map(({ labels, point }) => ({ metric: metricOf(labels), value: pair(point) })),
      };
    case "matrix":
      return {
        resultType,
        result: result.series.map(({ labels, points }) => ({ metric: metricOf(labels), values: points.map(pair) })),
      };
  }
}

/** The labels of a series, as the API has them. */
export function metricOf(labels: Labels): Readonly<Record<string, string>> {
  return Object.fromEntries(labels);
}

function pair({ timeMs, value }: Point): readonly [number, string] {
  return [timeMs / 1000, numberText(value)];
}
