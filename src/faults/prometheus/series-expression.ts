import { dcgm47Spellings } from "../../domain/dialects/dcgm-spellings.ts";
import { metrics } from "../../domain/metrics.ts";

/** A name that DCGM gives to a metric, and the factor from its unit to ours. */
interface SeriesName {
  readonly name: string;
  readonly factor: number;
}

/** DCGM's names of a metric: the older one, then those of DCGM 4.7. A metric that is not in the catalogue has its own name. */
function namesOf(metric: string): readonly SeriesName[] {
  const declared = metrics.find(({ name }) => name === metric);
  if (declared === undefined) return [{ name: metric, factor: 1 }];
  const newer = dcgm47Spellings.filter((row) => row[1] === metric);
  return [{ name: declared.dcgmField, factor: 1 }, ...newer.map(([name, , { factor }]) => ({ name, factor }))];
}

/** The metric under all its names, as an expression of PromQL in our unit.
 *  @param around wraps each series, for functions of ranges, which take no expression: `rate(SERIES[5m])`
 *  @param labels matchers for each series */
export function metricExpression(
  metric: string,
  { around = (series) => series, labels = "" }: { around?: (series: string) => string; labels?: string } = {},
): string {
  const terms = namesOf(metric).map(({ name, factor }) => {
    const series = around(labels === "" ? name : `${name}{${labels}}`);
    return factor === 1 ? series : `${series} * ${factorText(factor)}`;
  });
  return terms.length === 1 ? (terms[0] as string) : `(${terms.join(" or ")})`;
}

/** A function of a range of each series of a metric, in our unit. */
export const overRange = (metric: string, call: string, seconds: number): string =>
  metricExpression(metric, { around: (series) => `${call}(${series}[${seconds}s])` });

/** PromQL has no powers of two as decimals that people can read. */
function factorText(factor: number): string {
  return factor === 2 ** -20 ? "2 ^ -20" : factor < 1 ? `1 / ${1 / factor}` : String(factor);
}
