import type { Metric } from "./metrics.ts";

/** What a metric is, with its unit and its field of DCGM, as the API's document and the database's comments say it. */
export function metricText({ description, unit, dcgmField, dcgmFieldId, kind }: Metric): string {
  const origin = dcgmFieldId === undefined ? dcgmField : `${dcgmField}, field ${dcgmFieldId}`;
  return `${description}; ${unit}, ${kind} (${origin})`;
}
