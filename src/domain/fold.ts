import { type CustomValue, customByRecord } from "./batch.ts";
import { metricIndexOf, metricNames, metrics } from "./metrics.ts";
import { parseSeries } from "./series.ts";

/** The labels of series that count the same things again: `vgpu` repeats the value of the whole GPU for each virtual GPU, and the
 *  exporter's windows (`window_size_in_ms`) end at the same instant, so a longer one counts what a shorter one counts. */
const repeatingLabels: ReadonlySet<string> = new Set(["vgpu", "window_size_in_ms"]);

/** What a fold needs to know of a series of a catalogue metric. */
interface FoldedSeries {
  readonly metricIndex: number;
  /** Series that differ only by repeating labels have the same key. */
  readonly key: string;
}

type Parse = (name: string) => FoldedSeries | undefined;

/** The plain values that follow from labelled series, by the catalogue's rule for each metric (`fold` in metrics.ts). Series
 *  that differ only by repeating labels count once, with the greatest of their values. A record's plain value of a metric is the
 *  greater of the folded value and the value without labels. Adding series, or raising their values, never lowers it.
 *  @param custom values by name; only the names of catalogue metrics' series have an effect
 *  @returns values by metric name */
export function foldedSeries(custom: Readonly<Record<string, number>>): Map<string, number> {
  return foldWith(catalogueSeries, custom);
}

/** Raises the plain values of records to those that follow from their series.
 *  @param columns values by metric; NaN if a record has none
 *  @returns columns in the order of the catalogue */
export function withFolds(
  columns: ReadonlyMap<string, Float64Array>,
  custom: readonly CustomValue[],
  recordCount: number,
): ReadonlyMap<string, Float64Array> {
  const parse = remembering(catalogueSeries);
  const ofSeries = custom.filter(({ metric }) => parse(metric) !== undefined);
  if (ofSeries.length === 0) return columns;
  const raised = new Map(columns);
  for (const [record, values] of customByRecord({ custom: ofSeries })) {
    for (const [metric, value] of foldWith(parse, values)) {
      const column = raised.get(metric) ?? new Float64Array(recordCount).fill(NaN);
      if (!((column[record] as number) >= value)) column[record] = value;
      raised.set(metric, column);
    }
  }
  const names = metricNames.filter((name) => raised.has(name));
  return new Map(names.map((name) => [name, raised.get(name) as Float64Array]));
}

/** The number of samples from which records were made: their values, without the plain values of metrics that have series in the
 *  same record. */
export function countSamples(columns: ReadonlyMap<string, Float64Array>, custom: readonly CustomValue[]): number {
  const parse = remembering(catalogueSeries);
  const folded = new Set<string>();
  for (const { record, metric } of custom) {
    const series = parse(metric);
    const name = metrics[series?.metricIndex ?? -1]?.name ?? "";
    if (!Number.isNaN(columns.get(name)?.[record] ?? NaN)) folded.add(`${record} ${name}`);
  }
  let values = 0;
  for (const column of columns.values()) for (const value of column) if (value === value) values += 1;
  return values - folded.size + custom.length;
}

function foldWith(parse: Parse, custom: Readonly<Record<string, number>>): Map<string, number> {
  const groups = new Map<number, Map<string, number>>();
  // sorted: a sum of doubles depends on their order
  for (const name of Object.keys(custom).sort()) {
    const series = parse(name);
    if (series === undefined) continue;
    const values = groups.get(series.metricIndex) ?? new Map<string, number>();
    values.set(series.key, Math.max(values.get(series.key) ?? -Infinity, custom[name] as number));
    groups.set(series.metricIndex, values);
  }
  return new Map(
    Array.from(groups, ([index, values]) => [metrics[index]?.name ?? "", foldOf(index, [...values.values()])]),
  );
}

function foldOf(index: number, values: readonly number[]): number {
  const { fold, max } = metrics[index] as (typeof metrics)[number];
  if (fold === "max") return Math.max(...values);
  const sum = values.reduce((total, value) => total + value, 0);
  return Math.min(max, sum); // values in the metric's range may have a sum outside it
}

/** @returns undefined if the name is not that of a catalogue metric's series */
function catalogueSeries(name: string): FoldedSeries | undefined {
  const series = name.endsWith("}") ? parseSeries(name) : undefined;
  const metricIndex = series === undefined ? undefined : metricIndexOf(series.metric);
  if (series === undefined || metricIndex === undefined) return undefined;
  const labels = Object.entries(series.labels).filter(([label]) => !repeatingLabels.has(label));
  return { metricIndex, key: JSON.stringify(labels.sort()) };
}

/** Parses each name once: a batch has few names and many values. */
function remembering(parse: Parse): Parse {
  const known = new Map<string, FoldedSeries | undefined>();
  return (name) => {
    if (!known.has(name)) known.set(name, parse(name));
    return known.get(name);
  };
}
