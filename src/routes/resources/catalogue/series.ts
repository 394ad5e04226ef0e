import { type Static, Type } from "@sinclair/typebox";
import { parseSeries, seriesText } from "../../../domain/series.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

/** The fields that describe a series by its name. */
const nameFields = {
  name: Type.String({
    description: 'Name of the series in the field custom of a record, such as xid_errors{xid="31"}',
  }),
  metric: Type.String({ description: "The metric's name in the catalogue, or its name in the input" }),
  selector: Type.String({
    description:
      'Text that selects the series in metrics=, in names of GraphQL and over /ws, such as xid_errors{xid="31"}, fan_speed{} or ' +
      '{"a metric, with braces}"}; without labels, all series of the metric',
  }),
  labels: Type.Record(Type.String(), Type.String(), {
    description: "The labels of the series, by name; empty for a metric outside the catalogue that has none",
  }),
};

/** A series that records have, as the API lists it. */
export const seriesSchema = Type.Object(
  {
    ...nameFields,
    records: wholeNumber({ minimum: 1, description: "Records that have the series, of those that were read" }),
    last_seen_at: instant("When the newest of these records was measured"),
  },
  {
    $id: "Series",
    additionalProperties: false,
    description: "A labelled series, or a metric outside the catalogue",
    examples: [
      {
        name: 'xid_errors{window_size_in_ms="300000",xid="31"}',
        metric: "xid_errors",
        selector: 'xid_errors{window_size_in_ms="300000",xid="31"}',
        labels: { window_size_in_ms: "300000", xid: "31" },
        records: 4,
        last_seen_at: "2025-07-18T20:42:37Z",
      },
    ],
  },
);

/** A series of a record, with its value. */
export const seriesValueSchema = Type.Object(
  { ...nameFields, value: Type.Number({ description: "The value at the record's instant" }) },
  { $id: "SeriesValue", additionalProperties: false, description: "A series of a record, with its value" },
);

type ApiSeries = Static<typeof seriesSchema>;
type NameFields = Pick<ApiSeries, "name" | "metric" | "selector" | "labels">;

/** The fields of a series, in the API's shape. */
export function toApiSeriesName(name: string): NameFields {
  const { metric, labels } = parseSeries(name) ?? { metric: name, labels: {} };
  return { name, metric, selector: seriesText({ metric, labels }), labels: { ...labels } };
}

/** The series that the records have, ordered by name. */
export function toApiSeries(records: readonly StoredRecord[]): ApiSeries[] {
  const seen = new Map<string, { records: number; lastMs: number }>();
  for (const { custom, timeMs } of records) {
    for (const name of Object.keys(custom)) {
      const entry = seen.get(name) ?? { records: 0, lastMs: -Infinity };
      entry.records += 1;
      entry.lastMs = Math.max(entry.lastMs, timeMs);
      seen.set(name, entry);
    }
  }
  return [...seen]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { records: count, lastMs }]) => ({
      ...toApiSeriesName(name),
      records: count,
      last_seen_at: formatTimestamp(lastMs),
    }));
}
