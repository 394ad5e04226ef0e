import { numberText } from "../../../promql/number-text.ts";
import type { Labels } from "../../../promql/labels.ts";
import type { Point, Points, QueryResult } from "../../../promql/query.ts";
import type { Work } from "../../../promql/work.ts";

/** The answer to a query, as `data` of Prometheus' HTTP API, in JSON. The rest of the process gets its turn now and then.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats */
export async function queryData(result: QueryResult, work: Work): Promise<string> {
  const resultType = JSON.stringify(result.type);
  if (!("series" in result)) {
    const value = result.type === "scalar" ? pair(result.point) : [result.timeMs / 1000, result.text];
    return `{"resultType":${resultType},"result":${JSON.stringify(value)}}`;
  }
  const texts: string[] = [];
  for (const each of result.series) {
    const values = "point" in each ? { value: pair(each.point) } : { values: pairs(each.points) };
    texts.push(JSON.stringify({ metric: metricOf(each.labels), ...values }));
    await work.didSeries("points" in each ? each.points.values.length * valuesPerText : 0);
  }
  return `{"resultType":${resultType},"result":[${texts.join(",")}]}`;
}

/** To write a value as text takes as long as to compute so many. */
const valuesPerText = 10;

/** The labels of a series, as the API has them. */
export function metricOf(labels: Labels): Readonly<Record<string, string>> {
  return Object.fromEntries(labels.entries());
}

function pair({ timeMs, value }: Point): readonly [number, string] {
  return [timeMs / 1000, numberText(value)];
}

function pairs({ timesMs, values }: Points): (readonly [number, string])[] {
  return Array.from(timesMs, (timeMs, index) => pair({ timeMs, value: values[index] as number }));
}
