import { type Static, Type } from "@sinclair/typebox";
import type { TimeRange } from "../../../domain/time-range.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import {
  type JobUsage,
  joulesPerKilowattHour,
  type MeanAndMax,
  type UsageGrouping,
  usageGroupFields,
  type UsageRow,
  type UsageSum,
} from "../../../domain/usage/usage.ts";
import { effectiveMeasures, energyMeasures } from "../../../domain/usage/usage-hour.ts";
import { defined } from "../../../kit/defined.ts";
import { instant, wholeNumber } from "../../schemas/envelope.ts";

const amount = (description: string) => Type.Number({ minimum: 0, description });
const level = (description: string) =>
  Type.Optional(Type.Number({ description: `${description}; absent if not measured` }));
const named = (description: string) => Type.Optional(Type.String({ description }));
const measuredBy = (measures: readonly string[], description: string) =>
  Type.Union(
    [...measures, "mixed"].map((measure) => Type.Literal(measure)),
    { description },
  );

/** What devices were used for. */
const sumFields = {
  devices: wholeNumber({ minimum: 0, description: "Devices: GPUs, and MIG instances" }),
  allocated_seconds: amount("Seconds of whole GPUs that a workload or job held"),
  unallocated_seconds: amount(
    "Seconds of whole GPUs that were free; only in groups without a workload, or by device, host, model, cluster",
  ),
  unknown_seconds: amount("Seconds of whole GPUs about which no record says anything"),
  active_seconds: amount("Allocated seconds in which utilization was at least USAGE_ACTIVE_PERCENT"),
  idle_seconds: amount(
    "Allocated seconds in which it was lower; time without a measured utilization counts as neither",
  ),
  idle_hours: amount("The same in hours"),
  effective_seconds: amount("Allocated seconds in which tensor or SM activity was at least USAGE_EFFECTIVE_PERCENT"),
  shared_seconds: amount("Allocated seconds of devices that several held at once; each has an equal part of them"),
  unsized_seconds: amount(
    "Allocated seconds of MIG instances whose profile is not known; they count as one slice, although they may be more",
  ),
  holders_max: wholeNumber({
    minimum: 0,
    description: "The largest number of workloads or jobs that held a device at once",
  }),
  energy_kwh: amount("Energy in the allocated time"),
  idle_energy_kwh: amount("Energy in the idle part of it"),
  other_energy_kwh: amount("Energy in the rest of the time"),
  cost: Type.Optional(
    amount("Cost of the allocated time and its energy; absent if no price is set (GPU_PRICE_PER_HOUR)"),
  ),
  idle_cost: Type.Optional(amount("Cost of the idle part of it")),
  currency: named("Currency of the costs"),
  effective_by: measuredBy(effectiveMeasures, "What effective_seconds was measured by: tensor or SM activity"),
  energy_by: measuredBy(energyMeasures, "What energy was measured by: the device's counter, or its power over time"),
  utilization_mean: level("Mean utilization in percent"),
  utilization_max: level("Greatest utilization in percent"),
  memory_mean_mb: level("Mean memory in use, MiB"),
  memory_max_mb: level("Most memory in use, MiB"),
  power_mean: level("Mean power in watts"),
  power_max: level("Greatest power in watts"),
};

const exampleSum = {
  ...{ devices: 8, allocated_seconds: 28_800, unallocated_seconds: 0, unknown_seconds: 0, active_seconds: 21_600 },
  ...{ idle_seconds: 7200, idle_hours: 2, effective_seconds: 18_000, shared_seconds: 0, unsized_seconds: 0 },
  ...{ holders_max: 1 },
  ...{ energy_kwh: 4.2, idle_energy_kwh: 0.25, other_energy_kwh: 0, cost: 20, idle_cost: 5, currency: "EUR" },
  ...{ effective_by: "tensor", energy_by: "counter", utilization_mean: 71.2, utilization_max: 100 },
  ...{ memory_mean_mb: 61_440, memory_max_mb: 70_000, power_mean: 520, power_max: 698 },
};

/** The hours that an answer counts. */
export const countedHours = {
  start_time: instant("Beginning of the first hour that is counted"),
  end_time: instant("End of the last hour that is counted; of the present hour, what has been recorded counts"),
};
export type ApiHours = Readonly<Record<keyof typeof countedHours, string>>;

/** The hours of a range, in the API's shape. */
export function toApiHours({ fromMs, toMs }: TimeRange): ApiHours {
  return { start_time: formatTimestamp(fromMs), end_time: formatTimestamp(toMs) };
}

/** What a group used, as the API shows it. */
export const usageSchema = Type.Object(
  {
    timestamp: instant("Beginning of the hour or day, UTC; with step=total, of the range"),
    cluster_id: named("Cluster; by cluster, host and device"),
    hostname: named("Host; by host and device"),
    uuid: named("UUID of the GPU or MIG instance; by device"),
    model_name: named("Model; by model"),
    namespace: named("Namespace; by namespace, pod and container. Empty for time that no namespace held"),
    pod: named("Pod; by pod and container"),
    container: named("Container; by container"),
    job: named("Job of a batch system; by job. Empty for time without one"),
    user: named("User; by user. Empty for time without one"),
    ...sumFields,
  },
  {
    $id: "Usage",
    additionalProperties: false,
    description: "What a group used in an hour, a day or a range",
    examples: [{ timestamp: "2025-07-18T20:00:00Z", namespace: "ml-training", ...exampleSum }],
  },
);

/** What a pod or job used, as the API shows it. */
export const jobUsageSchema = Type.Object(
  {
    namespace: Type.String({ description: "Namespace; empty for jobs of a batch system" }),
    pod: Type.String({ description: "Pod; empty for jobs of a batch system" }),
    job: Type.String({ description: "Job of a batch system; empty if no label names one" }),
    user: Type.String({ description: "User; empty if no label names one" }),
    start_time: instant("When it held a device for the first time in the range"),
    end_time: instant("When it held a device for the last time in the range"),
    ended: Type.Boolean({ description: "True if no record has named it for 15 minutes" }),
    complete: Type.Boolean({
      description: "False if it held a device at the beginning of the range: it may have started before",
    }),
    uuids: Type.Array(Type.String(), { description: "UUIDs of its devices" }),
    ...sumFields,
  },
  {
    $id: "JobUsage",
    additionalProperties: false,
    description: "What a pod or job used: its devices, time, utilization, memory, power and energy",
    examples: [
      {
        ...{ namespace: "ml-training", pod: "trainer-0", job: "", user: "" },
        ...{ start_time: "2025-07-18T20:00:00Z", end_time: "2025-07-18T21:00:00Z", ended: true, complete: true },
        ...{ uuids: ["GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"], ...exampleSum },
      },
    ],
  },
);

/** What a group used, in the API's shape. */
export function toApiUsage(row: UsageRow, groupBy: UsageGrouping): Static<typeof usageSchema> {
  const fields = usageGroupFields[groupBy].map((name, index) => [name, row.group[index] ?? ""]);
  return {
    timestamp: formatTimestamp(row.timeMs),
    ...(Object.fromEntries(fields) as Record<string, string>),
    ...toApiSum(row),
  };
}

/** What a job used, in the API's shape. */
export function toApiJob(usage: JobUsage): Static<typeof jobUsageSchema> {
  const { namespace, pod, job, user, fromMs, toMs, hasEnded, isComplete, uuids } = usage;
  return {
    ...{ namespace, pod, job, user },
    start_time: formatTimestamp(fromMs),
    end_time: formatTimestamp(toMs),
    ended: hasEnded,
    complete: isComplete,
    uuids: [...uuids],
    ...toApiSum(usage),
  };
}

const shown = (value: number, digits: number): number => Number(value.toFixed(digits));

function toApiSum(sum: UsageSum) {
  const { cost, utilization, memory, power } = sum;
  const seconds = (value: number): number => shown(value, 6);
  const kilowattHours = (joules: number): number => shown(joules / joulesPerKilowattHour, 6);
  return {
    devices: sum.devices,
    allocated_seconds: seconds(sum.allocatedSeconds),
    unallocated_seconds: seconds(sum.unallocatedSeconds),
    unknown_seconds: seconds(sum.unknownSeconds),
    active_seconds: seconds(sum.activeSeconds),
    idle_seconds: seconds(sum.idleSeconds),
    idle_hours: shown(sum.idleSeconds / 3600, 3),
    effective_seconds: seconds(sum.effectiveSeconds),
    shared_seconds: seconds(sum.sharedSeconds),
    unsized_seconds: seconds(sum.unsizedSeconds),
    holders_max: sum.holdersMax,
    energy_kwh: kilowattHours(sum.energyJoules),
    idle_energy_kwh: kilowattHours(sum.idleJoules),
    other_energy_kwh: kilowattHours(sum.otherJoules),
    ...defined({ cost: cost?.allocated, idle_cost: cost?.idle, currency: cost?.currency }),
    effective_by: sum.effectiveBy,
    energy_by: sum.energyBy,
    ...defined({ utilization_mean: meanOf(utilization), utilization_max: utilization?.max }),
    ...defined({ memory_mean_mb: meanOf(memory), memory_max_mb: memory?.max }),
    ...defined({ power_mean: meanOf(power), power_max: power?.max }),
  };
}

const meanOf = (level: MeanAndMax | undefined): number | undefined => level && shown(level.mean, 3);
