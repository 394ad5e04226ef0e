import { readSeriesSelector } from "../../../domain/series-selector.ts";
import { seriesText } from "../../../domain/series.ts";

/** The longest name that a message repeats as an example, in characters. */
const shownMaxLength = 100;

/** A metric outside the catalogue or a series, as PromQL selects it, for the example of a message.
 *  @param item as `metrics` names it, such as `my_metric`, `my_metric{}` and `{"odd}name"}`
 *  @returns undefined if the text is neither, or too long for an example */
export function promqlSelectorOf(item: string): string | undefined {
  if (item === "" || item.length > shownMaxLength) return undefined;
  const selector = readSeriesSelector(item);
  if (selector === undefined && /[{}"]/.test(item)) return undefined;
  return seriesText(selector ?? { metric: item, labels: {} }).replace(/(?<=.)\{\}$/, "");
}
