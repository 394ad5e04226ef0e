import { fromBytes, fromJoules, fromRatio, same, type Scale } from "../../../domain/dialects/scale.ts";
import type { Label } from "../exposition/scanned-exposition.ts";
import type { WrittenSeries } from "../remote-write/written-series.ts";
import type { OtlpMetric, OtlpPoint } from "./otlp-point.ts";

/** DCGM's name of a metric, and how values become values in its unit. */
type Meaning = readonly [name: string, scale: Scale];

/** Attributes by the labels that mean the same. The names of the others lose their dots.
 *  Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/hardware/ */
const labelNames = new Map<string, string>(
  Object.entries({
    ...{ "service.name": "job", "service.instance.id": "instance", "host.name": "hostname", "k8s.node.name": "node" },
    ...{
      "hw.id": "UUID",
      "hw.model": "modelName",
      "hw.driver_version": "driver_version",
      "hw.serial_number": "serial",
    },
  }),
);
/** What a GPU is busy with, by the attribute `hw.gpu.task`. */
const tasks = new Map([
  ["", "DCGM_FI_DEV_GPU_UTIL"],
  ["general", "DCGM_FI_DEV_GPU_UTIL"],
  ["encoder", "DCGM_FI_DEV_ENC_UTIL"],
  ["decoder", "DCGM_FI_DEV_DEC_UTIL"],
]);
/** Metrics of all hardware, of which those with `hw.type="gpu"` are meant.
 *  Source: https://opentelemetry.io/docs/specs/semconv/hardware/common/ */
const ofHardware = new Map<string, Meaning>([
  ["hw.temperature", ["DCGM_FI_DEV_GPU_TEMP", same]],
  ["hw.power", ["DCGM_FI_DEV_POWER_USAGE", same]],
  ["hw.energy", ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", fromJoules]],
]);

/** A point as a series with one sample.
 *  Source: https://opentelemetry.io/docs/specs/semconv/hardware/gpu/ */
export function seriesOf({ name, resource }: OtlpMetric, point: OtlpPoint): WrittenSeries {
  const attributes = new Map([...resource, ...point.attributes]);
  const [dcgmName, scale] = meaningOf(name, attributes);
  const labels = new Map<string, string>();
  for (const [attribute, value] of attributes) {
    if (attribute !== "hw.gpu.task" && attribute !== "hw.type" && value !== "") labels.set(labelOf(attribute), value);
  }
  const index = indexIn(attributes.get("hw.name") ?? "");
  if (index !== undefined && !labels.has("gpu")) labels.set("gpu", index);
  const sample = { value: scale.convert(point.value), timeMs: point.timeMs, isStale: point.isNoValue };
  return { name: dcgmName, labels: [...labels], samples: [sample], histograms: 0, exemplars: 0 };
}

const labelOf = (attribute: string): Label[0] => labelNames.get(attribute) ?? attribute.replaceAll(".", "_");

function meaningOf(name: string, attributes: ReadonlyMap<string, string>): Meaning {
  if (name === "hw.gpu.utilization") {
    const known = tasks.get(attributes.get("hw.gpu.task") ?? "");
    if (known !== undefined) return [known, fromRatio];
  }
  if (name === "hw.gpu.memory.usage") return ["DCGM_FI_DEV_FB_USED", fromBytes];
  const known = attributes.get("hw.type") === "gpu" ? ofHardware.get(name) : undefined;
  return known ?? [name, same];
}

/** The index in a name such as `GPU 3`, `nvidia3` or `3`. */
function indexIn(name: string): string | undefined {
  return /^(?:gpu|nvidia)?[ _#:-]*(\d{1,4})$/i.exec(name.trim())?.[1];
}
