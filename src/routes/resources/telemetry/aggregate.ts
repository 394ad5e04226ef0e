import { type Static, Type } from "@sinclair/typebox";
import type { AggregateRow } from "../../../domain/query.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import type { Row } from "../../http/formats/columns.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

/** A summary of a metric's values in one group and one minute, hour or day. */
const summarySchema = Type.Object(
  {
    avg: Type.Number({ description: "Average" }),
    min: Type.Number({ description: "Lowest value" }),
    max: Type.Number({ description: "Highest value" }),
    count: wholeNumber({ minimum: 1, description: "Number of values" }),
    increase: Type.Optional(
      Type.Number({
        description:
          "How much a counter rose to each of the values from the one before it, if that is of the same hour (UTC) or the hour before; " +
          "with resolution 1m, of the same minute or the 5 before. After a reset, it rises from 0. Absent for gauges, and if the caller may see only some namespaces",
      }),
    ),
  },
  { additionalProperties: false },
);

/** One group in one minute, hour or day, as the API shows it. */
export const aggregateSchema = Type.Object(
  {
    timestamp: instant("Beginning of the minute, hour or day, UTC"),
    group: Type.Record(Type.String(), Type.String(), {
      description:
        "The fields that identify the group: cluster_id with hostname, or one of cluster_id, uuid, model_name and namespace",
    }),
    expected: Type.Optional(
      wholeNumber({
        minimum: 1,
        description:
          "Records of the group that were due in this time, by the schedules of live sources, or as learned from the records of files, to " +
          "compare with the count of a metric that every record has; absent if it is not known of one of the group's devices, or not asked for",
      }),
    ),
    metrics: Type.Record(Type.String(), summarySchema, {
      description: "Each metric by its name in the catalogue; a metric without a value is absent",
    }),
  },
  {
    $id: "Aggregate",
    additionalProperties: false,
    description: "Telemetry of a group in a minute, an hour or a day",
    examples: [
      {
        timestamp: "2025-07-18T20:42:00Z",
        group: { cluster_id: "local-cluster", hostname: "mtv5-dgx1-hgpu-032" },
        expected: 8,
        metrics: { temperature: { avg: 28.5, min: 27, max: 30, count: 8 } },
      },
    ],
  },
);

/** One group in one minute, hour or day, in the API's shape. */
export function toApiAggregate({ timeMs, group, expected, metrics }: AggregateRow): Static<typeof aggregateSchema> {
  // `defined` would take as long as all the rest
  const shown = { timestamp: formatTimestamp(timeMs), group, metrics };
  return expected === undefined ? shown : { timestamp: shown.timestamp, group, expected, metrics };
}

/** The same with a field for each figure, as a table has it: `temperature_avg`. */
export function toFlatAggregate({ timeMs, group, expected, metrics }: AggregateRow): Row {
  const figures = Object.entries(metrics).flatMap(([name, summary]) =>
    Object.entries(summary).map(([figure, value]) => [`${name}_${figure}`, value as unknown] as const),
  );
  const time = { timestamp: formatTimestamp(timeMs) };
  return { ...time, ...group, ...defined({ expected }), ...Object.fromEntries(figures) };
}
