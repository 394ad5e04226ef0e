import { type Static, type TNumber, type TOptional, Type } from "@sinclair/typebox";
import { metricText } from "../../domain/metric-text.ts";
import { type Metric, metrics } from "../../domain/metrics.ts";
import { type Gpu, noOccupants, noWorkload } from "../../domain/gpu.ts";
import { migPartOf } from "../../domain/mig-instance.ts";
import type { Aggregate, StoredRecord, StoredRollup } from "../../domain/query.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { instant, wholeNumber } from "./envelope.ts";
import { type ApiMig, migFields, toApiMig } from "./mig-fields.ts";
import { occupantsField, toApiOccupants } from "./occupants.ts";

const identity = {
  telemetry_id: Type.String({
    description:
      "{hostname}_{gpu_id}_{epoch seconds}, with .mmm if the instant has milliseconds; for a MIG instance, " +
      "{hostname}_{gpu_id}:mig:{mig_instance_id}:{mig_profile}_{epoch seconds}, or {hostname}_{gpu_id}:{uuid}_{epoch seconds} if " +
      "its uuid is NVIDIA's (MIG-...)",
  }),
  timestamp: instant("When the record was measured, UTC; with milliseconds if they are not 0"),
  gpu_id: Type.String({ description: "Index of the GPU on its host; for a MIG instance, that of its GPU" }),
  uuid: Type.String({ description: "UUID of the GPU or MIG instance" }),
  device: Type.String({ description: "Device name on its host; empty if the input does not have it" }),
  model_name: Type.String({ description: "Model of the GPU; empty if the input does not have it" }),
  hostname: Type.String({ description: "Host of the GPU" }),
  cluster_id: Type.String({ description: "Cluster of the host" }),
};

const workload = {
  container: Type.Optional(
    Type.String({ description: "Container that held the GPU; if several did, that of the first of occupants" }),
  ),
  pod: Type.Optional(
    Type.String({ description: "Kubernetes pod that held the GPU; if several did, that of the first of occupants" }),
  ),
  namespace: Type.Optional(Type.String({ description: "Namespace of the pod" })),
};

const byMetric = (description: string) => Type.Record(Type.String(), Type.Number(), { description });

const rollupSchema = Type.Object(
  {
    records: wholeNumber({ minimum: 1, description: "Records in the minute, hour or day" }),
    min: byMetric("Lowest value of each metric"),
    max: byMetric("Highest value of each metric"),
    count: byMetric("Number of values of each metric"),
    increase: Type.Optional(
      byMetric(
        "How much each counter rose to its values, as in aggregates. Absent without counters, and if the caller may see only some " +
          "namespaces",
      ),
    ),
  },
  {
    additionalProperties: false,
    description:
      "Only with resolution 1m, 1h or 1d. timestamp is then the beginning of the minute, hour or day (UTC); the value of a gauge is its average, and the value of a counter is its highest value",
  },
);

function metricField(metric: Metric): TOptional<TNumber> {
  return Type.Optional(Type.Number({ description: metricText(metric) }));
}

/** The metrics of a record: those of the catalogue, and all others in `custom`. */
export const metricFields = {
  ...Object.fromEntries(metrics.map((metric) => [metric.name, metricField(metric)])),
  custom: Type.Optional(
    Type.Record(Type.String(), Type.Number(), {
      description:
        'Metrics outside the catalogue, by their names in the input, and labelled series, such as xid_errors{xid="31"}; the field ' +
        "of a series' metric has the fold of the series (see /api/v1/metrics)",
    }),
  ),
};

/** A record as the API shows it. */
export const telemetryRecordSchema = Type.Object(
  {
    ...identity,
    ...metricFields,
    ...workload,
    rollup: Type.Optional(rollupSchema),
    ...occupantsField,
    ...migFields,
  },
  {
    $id: "TelemetryRecord",
    additionalProperties: false,
    description:
      "The metrics of one GPU or MIG instance at one instant. A metric without a value is absent (in GraphQL: null), never 0.",
    examples: [
      {
        telemetry_id: "mtv5-dgx1-hgpu-032_4_1752871354",
        timestamp: "2025-07-18T20:42:34Z",
        gpu_id: "4",
        uuid: "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4",
        device: "nvidia4",
        model_name: "NVIDIA H100 80GB HBM3",
        hostname: "mtv5-dgx1-hgpu-032",
        cluster_id: "local-cluster",
        gpu_utilization: 85.5,
        memory_utilization: 78.2,
        memory_used_mb: 62560,
        memory_free_mb: 17920,
        temperature: 72,
        power_draw: 320.1,
        sm_clock_mhz: 1980,
        memory_clock_mhz: 2619,
      },
    ],
  },
);

type Identity = { -readonly [Field in keyof typeof identity]: Static<(typeof identity)[Field]> };
type ApiRecord = Identity & ApiMig & Record<string, unknown>;

/** What all records of a GPU with the same attributes have in common. */
interface KnownIdentity {
  /** The beginning of `telemetry_id`. */
  readonly id: string;
  readonly fields: Omit<Identity, "telemetry_id" | "timestamp">;
  readonly mig: ApiMig;
}

const knownIdentities = new WeakMap<Gpu, KnownIdentity>();

function identityOf(gpu: Gpu): KnownIdentity {
  let known = knownIdentities.get(gpu);
  if (known === undefined) {
    const { uuid, device, modelName: model_name, hostname, clusterId: cluster_id } = gpu;
    const fields = { gpu_id: String(gpu.gpuId), uuid, device, model_name, hostname, cluster_id };
    known = { id: `${hostname}_${gpu.gpuId}${migPartOf(uuid)}_`, fields, mig: toApiMig(uuid) };
    knownIdentities.set(gpu, known);
  }
  return known;
}

/** A record in the API's shape. */
export function toApiRecord({ gpu, timeMs, metrics: values, custom, occupants }: StoredRecord): ApiRecord {
  const { id, fields, mig } = identityOf(gpu);
  // field by field: copied by `...`, they take twice as long, and again as JSON
  const shown: ApiRecord = {
    telemetry_id: id + secondsOf(timeMs),
    timestamp: formatTimestamp(timeMs),
    gpu_id: fields.gpu_id,
    uuid: fields.uuid,
    device: fields.device,
    model_name: fields.model_name,
    hostname: fields.hostname,
    cluster_id: fields.cluster_id,
  };
  if (mig.parent_uuid !== undefined) Object.assign(shown, mig);
  for (const name in values) shown[name] = values[name];
  if (Object.keys(custom).length > 0) shown.custom = custom;
  const { container, pod, namespace } = occupants[0] ?? noWorkload;
  if (container !== "") shown.container = container;
  if (pod !== "") shown.pod = pod;
  if (namespace !== "") shown.namespace = namespace;
  return occupants.length < 2 ? shown : { ...shown, ...toApiOccupants(occupants) };
}

/** A GPU's rollup of a minute, an hour or a day, in the API's shape. */
export function toApiRollup({ gpu, timeMs, records, metrics: aggregates }: StoredRollup): ApiRecord {
  const mapMetrics = (pick: (name: string) => number): Record<string, number> =>
    Object.fromEntries(Object.keys(aggregates).map((name) => [name, pick(name)]));
  const aggregateOf = (name: string) => aggregates[name] as Aggregate;
  const increases = Object.entries(aggregates).flatMap(([name, { increase }]) =>
    increase === undefined ? [] : [[name, increase] as const],
  );
  const values = mapMetrics((name) => (counters.has(name) ? aggregateOf(name).max : aggregateOf(name).avg));
  const record = toApiRecord({ gpu, timeMs, metrics: values, custom: {}, occupants: noOccupants });
  return {
    ...record,
    rollup: {
      records,
      min: mapMetrics((name) => aggregateOf(name).min),
      max: mapMetrics((name) => aggregateOf(name).max),
      count: mapMetrics((name) => aggregateOf(name).count),
      ...(increases.length > 0 && { increase: Object.fromEntries(increases) }),
    },
  };
}

const counters = new Set(metrics.filter(({ kind }) => kind === "counter").map(({ name }) => name));

/** The epoch seconds, with .mmm if the instant has milliseconds. */
function secondsOf(timeMs: number): string {
  const milliseconds = timeMs % 1000;
  const fraction = milliseconds === 0 ? "" : `.${String(milliseconds).padStart(3, "0")}`;
  return `${Math.floor(timeMs / 1000)}${fraction}`;
}
