import { quoted } from "../../../domain/cut-text.ts";
import { MetricChoice } from "../../../domain/metric-choice.ts";
import { readSeriesSelector, type SeriesSelector, splitNames } from "../../../domain/series-selector.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { emptyList, notUsable, optional, type Parameter, text } from "../../http/parameters/parameter.ts";
import { namesMaxLength } from "../../http/parameters/record-metrics.ts";
import { seriesValueSchema, toApiSeriesName } from "./series.ts";

const example = 'xid_errors{xid="31"}';

/** The series that the field returns. */
const names: Parameter<MetricChoice | undefined> = optional({
  ...text({
    maxLength: namesMaxLength,
    description: `Only series of these metrics, or, such as ${example}, only those with these labels; default all`,
  }),
  kind: { name: "texts" },
  expected: `names of metrics, or series such as ${example}; together at most ${namesMaxLength} characters`,
  read: (given) => {
    if (given === "") return emptyList;
    if (given.length > namesMaxLength) return notUsable;
    const series: SeriesSelector[] = [];
    for (const item of splitNames(given)) {
      // a text with an opening brace is a selector with an error rather than a name
      const selector = readSeriesSelector(item.includes("{") ? item : `${item}{}`);
      if (selector === undefined) return { problem: `${quoted(item)} is no series` };
      series.push(selector);
    }
    return { value: new MetricChoice([], series) };
  },
  absent: undefined,
});

/** The field with the series of a record. */
export function seriesRelations({ types, field }: SchemaKit): Readonly<Record<string, FieldMap>> {
  return {
    TelemetryRecord: {
      series: field({
        scope: "read",
        selectors: "narrowed",
        type: types.listOf(seriesValueSchema),
        description:
          "The record's labelled series and metrics outside the catalogue, the entries of custom with their labels",
        takes: { names },
        resolve: ({ custom = {} }: { custom?: Readonly<Record<string, number>> }, query) =>
          Object.entries(query.names === undefined ? custom : query.names.seriesOf(custom)).map(([name, value]) => ({
            ...toApiSeriesName(name),
            value,
          })),
      }),
    },
  };
}
