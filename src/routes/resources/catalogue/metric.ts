import { defined } from "../../../kit/defined.ts";
import { type Static, Type } from "@sinclair/typebox";
import { metricNameOf, spellings } from "../../../domain/dialects/spelling-of.ts";
import type { Metric } from "../../../domain/metrics.ts";
import { wholeNumber } from "../../schemas/envelope.ts";

/** A metric of the catalogue as the API shows it. */
export const metricSchema = Type.Object(
  {
    name: Type.String({ description: "Name of the metric's field in a record" }),
    dcgm_field: Type.String({ description: "Name of the field in DCGM or its exporter" }),
    dcgm_field_id: Type.Optional(
      wholeNumber({ minimum: 0, description: "DCGM's id of the field; absent for the exporter's own metrics" }),
    ),
    unit: Type.String({ description: "Unit of the value" }),
    kind: Type.Union([Type.Literal("gauge"), Type.Literal("counter")], {
      description: "In rollups, the value of a gauge is its average, and the value of a counter is its highest value",
    }),
    min: Type.Number({ description: "Lowest plausible value" }),
    max: Type.Number({ description: "Highest plausible value; a value below min or above max is rejected" }),
    scope: Type.Union([Type.Literal("board"), Type.Literal("instance")], {
      description:
        "instance: each MIG instance has its own value; board: the value is the whole GPU's, and only the GPU's record has it",
    }),
    fold: Type.Union([Type.Literal("sum"), Type.Literal("max")], {
      description:
        "How the field of a record follows from labelled series of the metric: their sum, or their greatest value. Series that " +
        "differ only by vgpu or window_size_in_ms count once, with the greatest value. If the input has a value without labels too, the greater counts",
    }),
    description: Type.String({ description: "What the metric measures" }),
    spellings: Type.Array(Type.String(), {
      description:
        "Other names of the metric: those of DCGM, other exporters and nvidia-smi. Requests and inputs may use them; a value under " +
        "such a name is converted from its unit",
    }),
  },
  {
    $id: "Metric",
    additionalProperties: false,
    description: "A metric of the catalogue",
    examples: [
      {
        name: "temperature",
        dcgm_field: "DCGM_FI_DEV_GPU_TEMP",
        dcgm_field_id: 150,
        unit: "celsius",
        kind: "gauge",
        min: -40,
        max: 150,
        scope: "board",
        fold: "max",
        description: "GPU temperature",
        spellings: [
          "DCGM_FI_DEV_GPU_TEMP",
          "DCGM_FI_DEV_GPU_TEMP_CELSIUS",
          "dcgm_gpu_temp",
          "nvidia_smi_temperature_gpu",
        ],
      },
    ],
  },
);

/** A metric of the catalogue, in the API's shape. */
export function toApiMetric({ name, dcgmField, dcgmFieldId, ...rest }: Metric): Static<typeof metricSchema> {
  const { unit, kind, min, max, scope, fold, description } = rest;
  const id = defined({ dcgm_field_id: dcgmFieldId });
  return {
    name,
    dcgm_field: dcgmField,
    ...id,
    unit,
    kind,
    min,
    max,
    scope,
    fold,
    description,
    spellings: spelled(name),
  };
}

function spelled(metric: string): string[] {
  return spellings.map(({ name }) => name).filter((name) => name !== metric && metricNameOf(name) === metric);
}
