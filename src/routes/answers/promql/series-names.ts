import { spellings } from "../../../domain/dialects/spelling-of.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import { metricNames, metrics } from "../../../domain/metrics.ts";
import { nameLabel } from "../../../promql/labels.ts";
import type { Matcher } from "../../../promql/matcher.ts";

/** A name under which a metric's values are series, in the unit of the name. */
export interface SeriesName {
  readonly name: string;
  readonly valueOf: (stored: number) => number;
}

const ofDcgm = (dialect: Spelling["dialect"]) =>
  Map.groupBy(
    spellings.filter((spelling) => spelling.dialect === dialect),
    ({ metricIndex }) => metricIndex,
  );
const [older, newer, oldest] = [ofDcgm("dcgm"), ofDcgm("dcgm-4.9"), ofDcgm("dcgm-1")];

/** The names of each metric of the catalogue: that of dcgm-exporter up to 4.8, those of 4.9, that of 1.x, and ours. */
const namesByMetric: ReadonlyMap<string, readonly SeriesName[]> = new Map(
  metricNames.map((own, index) => {
    const spelled = [older, newer, oldest].flatMap((of) => of.get(index) ?? []);
    const named = spelled.map(({ name, scale }) => ({ name, valueOf: scale.invert }));
    return [own, [...named, { name: own, valueOf: (stored: number) => stored }]] as const;
  }),
);

/** The names of the catalogue's metrics that are listed: those of dcgm-exporter up to 4.8, and of 4.9. */
export function listedNames(metric: string): readonly string[] {
  const names = namesByMetric.get(metric);
  if (names === undefined) return [metric];
  const index = metricNames.indexOf(metric);
  return [older, newer].flatMap((of) => (of.get(index) ?? []).map(({ name }) => name));
}

/** The names of metrics by which a query may ask, with what is known about each. */
export function metadataOfNames() {
  return metrics.flatMap((metric) =>
    listedNames(metric.name).map((name) => ({ name, type: metric.kind, help: metric.description })),
  );
}

/** Chooses the name under which a query gets the series of each metric: the first one that its matchers select, so that a query for
 *  several names of a metric gets each series once. */
export class NameChoice {
  private readonly matchers: readonly Matcher[];
  private readonly chosen = new Map<string, SeriesName | undefined>();

  constructor(matchers: readonly Matcher[]) {
    this.matchers = matchers.filter(({ name }) => name === nameLabel);
  }

  /** @param metric our name of a metric of the catalogue, or the name of any other
   *  @returns undefined if no name of the metric is selected */
  nameOf(metric: string): SeriesName | undefined {
    if (this.chosen.has(metric)) return this.chosen.get(metric);
    const names = namesByMetric.get(metric) ?? [{ name: metric, valueOf: (stored: number) => stored }];
    const name = names.find((each) => this.matchers.every(({ matches }) => matches(each.name)));
    this.chosen.set(metric, name);
    return name;
  }
}
