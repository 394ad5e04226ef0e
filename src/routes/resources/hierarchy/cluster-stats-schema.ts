import { type Static, Type } from "@sinclair/typebox";
import type { StoredRecord } from "../../../domain/query.ts";
import { activeLagMs } from "../../schemas/activity.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

const windowSeconds = activeLagMs / 1000;

function summary(subject: string, unit: string) {
  return Type.Optional(
    Type.Object(
      {
        average: Type.Number({ description: `Average over the GPUs that report the metric, ${unit}` }),
        max: Type.Number({ description: `Highest value, ${unit}` }),
        sum: Type.Number({ description: `Sum over the GPUs that report the metric, ${unit}` }),
        gpu_count: wholeNumber({ minimum: 1, description: "GPUs that report the metric" }),
      },
      { additionalProperties: false, description: `${subject}, ${unit}; absent if no GPU reports it` },
    ),
  );
}

const metricSummaries = {
  gpu_utilization: summary("GPU utilization (gpu_utilization)", "percent"),
  temperature: summary("GPU temperature (temperature)", "celsius"),
  power_draw: summary("Power draw (power_draw)", "watts"),
  memory_used_mb: summary("Framebuffer memory used (memory_used_mb)", "MiB"),
  memory_total_mb: summary("Framebuffer memory used and free together (memory_used_mb + memory_free_mb)", "MiB"),
};

/** Statistics of a cluster. */
export const clusterStatsSchema = Type.Object(
  {
    cluster_id: Type.String({ description: "Id of the cluster" }),
    host_count: wholeNumber({ minimum: 0, description: "Hosts with GPUs that have reported" }),
    gpu_count: wholeNumber({ minimum: 0, description: "GPUs that have reported" }),
    active_gpu_count: wholeNumber({ minimum: 0, description: "GPUs whose status is active" }),
    silent_gpu_count: wholeNumber({ minimum: 0, description: "GPUs whose status is silent" }),
    record_count: wholeNumber({ minimum: 0, description: "Records of the cluster in the store" }),
    record_count_is_estimate: Type.Optional(
      Type.Literal(true, {
        description: "True if record_count is an estimate, because there are more than a million records",
      }),
    ),
    newest_record_at: instant("When the newest record was measured"),
    values_cut_at: Type.Optional(
      instant(
        `Present if the ${windowSeconds} s up to the newest record have too many records to read. Values ` +
          "measured at this instant or earlier may then be missing in the statistics of the metrics",
      ),
    ),
    ...metricSummaries,
  },
  {
    $id: "ClusterStats",
    additionalProperties: false,
    description:
      `Statistics of a cluster. A metric's average, max and sum cover each GPU's newest value in the ` +
      `${windowSeconds} s up to the cluster's newest record; a metric without a value in this time is absent.`,
    examples: [
      {
        cluster_id: "local-cluster",
        host_count: 31,
        gpu_count: 247,
        active_gpu_count: 247,
        silent_gpu_count: 0,
        record_count: 988,
        newest_record_at: "2025-07-18T20:42:37Z",
        temperature: { average: 31.5, max: 46, sum: 7780.5, gpu_count: 247 },
      },
    ],
  },
);

export type ClusterStats = Static<typeof clusterStatsSchema>;
type MetricSummaries = Pick<ClusterStats, keyof typeof metricSummaries>;
type Values = Readonly<Record<string, number>>;

/** The metrics that the statistics need. */
const requiredMetrics = ["gpu_utilization", "temperature", "power_draw", "memory_used_mb", "memory_free_mb"];

/** True if every record has all metrics that the statistics need. */
export function sufficeForStats(newestRecords: readonly StoredRecord[]): boolean {
  return newestRecords.every(({ metrics }) => requiredMetrics.every((name) => name in metrics));
}

/** The statistics of each metric; a metric without a value is absent.
 *  @param records in time order; each GPU's last value of each metric counts */
export function metricSummariesOf(records: readonly StoredRecord[]): MetricSummaries {
  const valuesByGpu = new Map<string, Record<string, number>>();
  for (const { gpu, metrics } of records) {
    const values = valuesByGpu.get(gpu.uuid) ?? {};
    valuesByGpu.set(gpu.uuid, Object.assign(values, metrics));
  }
  const summaries: MetricSummaries = {};
  for (const name of Object.keys(metricSummaries) as (keyof MetricSummaries)[]) {
    const values = [...valuesByGpu.values()]
      .map((ofGpu) => valueOf(name, ofGpu))
      .filter((value) => value !== undefined);
    if (values.length > 0) summaries[name] = summaryOf(values);
  }
  return summaries;
}

function valueOf(name: keyof MetricSummaries, values: Values): number | undefined {
  if (name !== "memory_total_mb") return values[name];
  const { memory_used_mb: used, memory_free_mb: free } = values;
  return used === undefined || free === undefined ? undefined : used + free;
}

function summaryOf(values: readonly number[]) {
  const sum = values.reduce((total, value) => total + value, 0);
  return {
    average: sum / values.length,
    max: values.reduce((highest, value) => Math.max(highest, value), -Infinity),
    sum,
    gpu_count: values.length,
  };
}
