import { spellingOf } from "./dialects/spelling-of.ts";
import { metricNames, metrics } from "./metrics.ts";
import { readSeriesSelector, selectsSeries, seriesSelectorText, type SeriesSelector } from "./series-selector.ts";

/** The metrics of records that a client requests: some of the catalogue's, and series. */
export class MetricChoice {
  /** Whether a series is chosen, by its name: records repeat few names. */
  private readonly decisions = new Map<string, boolean>();

  /** @param names names of the catalogue */
  constructor(
    readonly names: readonly string[],
    readonly series: readonly SeriesSelector[],
  ) {}

  /** Equal choices have the same key. */
  get key(): string {
    return JSON.stringify([this.names, this.series.map(seriesSelectorText)]);
  }

  /** The same choice, whatever the order in which it was requested. */
  sorted(): MetricChoice {
    const names = new Set(this.names);
    const byText = new Map(this.series.map((selector) => [seriesSelectorText(selector), selector]));
    return new MetricChoice(
      metricNames.filter((name) => names.has(name)),
      [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, selector]) => selector),
    );
  }

  /** The chosen values of a record's `custom`. */
  seriesOf(custom: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
    if (this.series.length === 0) return noSeries;
    return Object.fromEntries(Object.entries(custom).filter(([name]) => this.isChosen(name)));
  }

  private isChosen(name: string): boolean {
    let isChosen = this.decisions.get(name);
    if (isChosen === undefined) {
      isChosen = this.series.some((selector) => selectsSeries(selector, name));
      if (this.decisions.size < maxDecisions) this.decisions.set(name, isChosen);
    }
    return isChosen;
  }
}

/** Reads the names that a client requests.
 *  @param items names of the catalogue in any spelling, and selectors of series
 *  @returns the choice, each metric once, or the first item that is neither */
export function readMetricChoice(items: readonly string[]): MetricChoice | { readonly unknown: string } {
  const names = new Set<string>();
  const series: SeriesSelector[] = [];
  for (const item of items) {
    const spelling = spellingOf(item);
    if (spelling !== undefined) {
      names.add(metrics[spelling.metricIndex]?.name ?? "");
      continue;
    }
    const selector = readSeriesSelector(item);
    if (selector === undefined) return { unknown: item };
    series.push(selector);
  }
  return new MetricChoice([...names], series);
}

const noSeries: Readonly<Record<string, number>> = {};
/** Bounds the memory of a choice that a long subscription uses. */
const maxDecisions = 10_000;
