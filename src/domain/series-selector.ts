import { metricNameOf } from "./dialects/spelling-of.ts";
import { parseSeries, type Series, seriesNameMaxLength, seriesText } from "./series.ts";

/** Selects a metric's series that have all of the given labels with the given values; other labels of a series do not matter. A
 *  selector without labels selects all series of its metric, and also the plain value of a metric outside the catalogue. */
export type SeriesSelector = Series;

/** The longest selector that is accepted: the names of all series fit. */
export const selectorMaxLength = seriesNameMaxLength;

/** Reads a selector such as `xid_errors{xid="31"}`, `xid_errors{}` or `{"odd}name"}`, with any spelling of a metric of
 *  the catalogue, or the input's name of any other.
 *  @returns undefined if the text is the name of a metric, or no selector */
export function readSeriesSelector(text: string): SeriesSelector | undefined {
  const selector = /.\{\}$/s.test(text) ? { metric: text.slice(0, -2), labels: {} } : parseSeries(text);
  if (selector === undefined) return undefined;
  return { ...selector, metric: metricNameOf(selector.metric) };
}

/** The text of a selector; equal selectors have the same text. */
export function seriesSelectorText(selector: SeriesSelector): string {
  return seriesText(selector);
}

/** Splits a text at its commas. A comma within braces belongs to the labels of a series. */
export function splitNames(text: string): string[] {
  const names: string[] = [];
  let name = "";
  let within: "nothing" | "braces" | "quotes" = "nothing";
  // a character after a backslash ends nothing
  for (const [character] of text.matchAll(/\\.|./gs)) {
    if (character === "," && within === "nothing") {
      names.push(name);
      name = "";
      continue;
    }
    name += character;
    if (character === '"' && within !== "nothing") within = within === "quotes" ? "braces" : "quotes";
    else if (within !== "quotes" && character === "{") within = "braces";
    else if (within !== "quotes" && character === "}") within = "nothing";
  }
  return [...names, name];
}

/** True if the selector selects the series with this name; `name` may also be that of a metric without labels. A name that was stored
 *  before the catalogue knew it as a spelling is selected like the metric's own name. */
export function selectsSeries(selector: SeriesSelector, name: string): boolean {
  const { metric, labels } = parseSeries(name) ?? { metric: name, labels: {} };
  if (selector.metric !== metricNameOf(metric)) return false;
  return Object.entries(selector.labels).every(
    ([label, text]) => Object.hasOwn(labels, label) && labels[label] === text,
  );
}
