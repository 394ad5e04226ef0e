import { type Static, Type } from "@sinclair/typebox";
import { type Metric, metrics } from "../../../domain/metrics.ts";
import { isMigInstance, migInstanceOf } from "../../../domain/mig-instance.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { activeLagMs } from "../../schemas/activity.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";
import { gpuCounts, migCounts } from "../../schemas/hierarchy.ts";

const windowSeconds = activeLagMs / 1000;

function summary(subject: string, unit: string) {
  return Type.Optional(
    Type.Object(
      {
        average: Type.Number({ description: `Average over the GPUs and MIG instances that are counted, ${unit}` }),
        max: Type.Number({ description: `Highest value, ${unit}` }),
        sum: Type.Number({ description: `Sum over the GPUs and MIG instances that are counted, ${unit}` }),
        gpu_count: wholeNumber({
          minimum: 1,
          description: "GPUs that report the metric, and MIG instances that do while their GPU does not",
        }),
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
    ...gpuCounts,
    ...migCounts,
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
      `${windowSeconds} s up to the cluster's newest record; a metric without a value in this time is absent. Each value counts ` +
      "once: a MIG instance counts by itself if its GPU does not report the metric, and a GPU that several workloads share " +
      "counts once.",
    examples: [
      {
        cluster_id: "local-cluster",
        host_count: 31,
        gpu_count: 247,
        active_gpu_count: 247,
        silent_gpu_count: 0,
        decommissioned_gpu_count: 0,
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

const scopeOf: ReadonlyMap<string, Metric["scope"]> = new Map(metrics.map(({ name, scope }) => [name, scope]));

/** True if every record has all metrics that the statistics need. A GPU with MIG instances needs no metric of the scope
 *  instance, and its instances need no metric of the scope board. */
export function sufficeForStats(newestRecords: readonly StoredRecord[]): boolean {
  const instances = newestRecords.flatMap(({ gpu }) => migInstanceOf(gpu.uuid) ?? []);
  const divided = new Set(instances.map(({ parentUuid }) => parentUuid));
  const requires = (uuid: string, name: string): boolean => {
    if (scopeOf.get(name) === "instance") return !divided.has(uuid);
    return !isMigInstance(uuid);
  };
  return newestRecords.every(({ gpu, metrics: values }) =>
    requiredMetrics.every((name) => name in values || !requires(gpu.uuid, name)),
  );
}

/** The statistics of each metric; a metric without a value is absent. What a GPU reports includes its MIG instances: their
 *  values count only if the GPU does not report the metric.
 *  @param records in time order; each device's last value of each metric counts */
export function metricSummariesOf(records: readonly StoredRecord[]): MetricSummaries {
  const valuesByUuid = new Map<string, Record<string, number>>();
  for (const { gpu, metrics: newer } of records) {
    const values = valuesByUuid.get(gpu.uuid) ?? {};
    valuesByUuid.set(gpu.uuid, Object.assign(values, newer));
  }
  const summaries: MetricSummaries = {};
  for (const name of Object.keys(metricSummaries) as (keyof MetricSummaries)[]) {
    const valueByUuid = new Map(
      [...valuesByUuid].flatMap(([uuid, ofDevice]) => {
        const value = valueOf(name, ofDevice);
        return value === undefined ? [] : [[uuid, value] as const];
      }),
    );
    const values = [...valueByUuid].filter(([uuid]) => !isPartOfAny(uuid, valueByUuid)).map(([, value]) => value);
    if (values.length > 0) summaries[name] = summaryOf(values);
  }
  return summaries;
}

/** True for a MIG instance of one of the GPUs. */
function isPartOfAny(uuid: string, gpus: ReadonlyMap<string, unknown>): boolean {
  const instance = migInstanceOf(uuid);
  return instance !== undefined && gpus.has(instance.parentUuid);
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
