import type { Label } from "../exposition/scanned-exposition.ts";
import type { WrittenSeries } from "../remote-write/written-series.ts";
import type { OtlpMetric, OtlpPoint } from "./otlp-point.ts";

/** DCGM's name of a metric, and by what values are multiplied to be in its unit. */
type Meaning = readonly [name: string, factor: number];

/** Attributes by the labels that mean the same. The names of the others lose their dots.
 *  Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/hardware/ */
const labelNames: Readonly<Record<string, string>> = {
  ...{ "service.name": "job", "service.instance.id": "instance", "host.name": "hostname", "k8s.node.name": "node" },
  ...{ "hw.id": "UUID", "hw.model": "modelName", "hw.driver_version": "driver_version", "hw.serial_number": "serial" },
};
/** What a GPU is busy with, by the attribute `hw.gpu.task`. */
const tasks: Readonly<Record<string, string>> = {
  ...{ "": "DCGM_FI_DEV_GPU_UTIL", general: "DCGM_FI_DEV_GPU_UTIL" },
  ...{ encoder: "DCGM_FI_DEV_ENC_UTIL", decoder: "DCGM_FI_DEV_DEC_UTIL" },
};
/** Metrics of all hardware, of which those with `hw.type="gpu"` are meant.
 *  Source: https://opentelemetry.io/docs/specs/semconv/hardware/common/ */
const ofHardware: Readonly<Record<string, Meaning>> = {
  ...{ "hw.temperature": ["DCGM_FI_DEV_GPU_TEMP", 1], "hw.power": ["DCGM_FI_DEV_POWER_USAGE", 1] },
  ...{ "hw.energy": ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 1000] },
};
const bytesInMebibyte = 2 ** 20;

/** A point as a series with one sample.
 *  Source: https://opentelemetry.io/docs/specs/semconv/hardware/gpu/ */
export function seriesOf({ name, resource }: OtlpMetric, point: OtlpPoint): WrittenSeries {
  const attributes = new Map([...resource, ...point.attributes]);
  const [dcgmName, factor] = meaningOf(name, attributes);
  const labels = new Map<string, string>();
  for (const [attribute, value] of attributes) {
    if (attribute !== "hw.gpu.task" && attribute !== "hw.type" && value !== "") labels.set(labelOf(attribute), value);
  }
  const index = indexIn(attributes.get("hw.name") ?? "");
  if (index !== undefined && !labels.has("gpu")) labels.set("gpu", index);
  const sample = { value: point.value * factor, timeMs: point.timeMs, isStale: point.isNoValue };
  return { name: dcgmName, labels: [...labels], samples: [sample], histograms: 0, exemplars: 0 };
}

const labelOf = (attribute: string): Label[0] => labelNames[attribute] ?? attribute.replaceAll(".", "_");

function meaningOf(name: string, attributes: ReadonlyMap<string, string>): Meaning {
  if (name === "hw.gpu.utilization") {
    const known = tasks[attributes.get("hw.gpu.task") ?? ""];
    if (known !== undefined) return [known, 100];
  }
  if (name === "hw.gpu.memory.usage") return ["DCGM_FI_DEV_FB_USED", 1 / bytesInMebibyte];
  const known = attributes.get("hw.type") === "gpu" ? ofHardware[name] : undefined;
  return known ?? [name, 1];
}

/** The index in a name such as `GPU 3`, `nvidia3` or `3`. */
function indexIn(name: string): string | undefined {
  return /^(?:gpu|nvidia)?[ _#:-]*(\d{1,4})$/i.exec(name.trim())?.[1];
}
