import { metrics } from "../../../domain/metrics.ts";
import { dialectOfName } from "../../../domain/dialects/dialect-of.ts";
import { same, type Scale } from "../../../domain/dialects/scale.ts";
import { spellingOf } from "../../../domain/dialects/spelling-of.ts";
import type { Label } from "../exposition/scanned-exposition.ts";
import type { WrittenSeries } from "../remote-write/written-series.ts";
import type { OtlpMetric, OtlpPoint } from "./otlp-point.ts";
import { scaleOfUcum, ucumUnitsFor } from "./otlp-units.ts";

/** DCGM's name of a metric, and the unit of a point whose metric names none; undefined: the name's own. */
interface Meaning {
  readonly name: string;
  readonly unit: string | undefined;
}

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

/** A metric of OpenTelemetry's conventions for hardware. */
interface HardwareMetric {
  /** In which the conventions have it. */
  readonly unit: string;
  /** What tells its points of one GPU from each other; undefined: nothing. */
  readonly attribute: string | undefined;
  /** DCGM's names by the attribute's value. */
  readonly names: Readonly<Record<string, string>>;
  /** Whether only points with `hw.type="gpu"` are a GPU's. */
  readonly needsType: boolean;
}

/** Source: https://opentelemetry.io/docs/specs/semconv/hardware/gpu/, https://opentelemetry.io/docs/specs/semconv/hardware/common/ */
const hardwareMetrics = new Map<string, HardwareMetric>([
  [
    "hw.gpu.utilization",
    {
      ...{ unit: "1", attribute: "hw.gpu.task", needsType: false },
      names: {
        ...{ "": "DCGM_FI_DEV_GPU_UTIL", general: "DCGM_FI_DEV_GPU_UTIL" },
        ...{ encoder: "DCGM_FI_DEV_ENC_UTIL", decoder: "DCGM_FI_DEV_DEC_UTIL" },
      },
    },
  ],
  ["hw.gpu.memory.usage", { ...ofWhole("By", "DCGM_FI_DEV_FB_USED"), needsType: false }],
  [
    "hw.temperature",
    {
      ...{ unit: "Cel", attribute: "hw.sensor_location", needsType: true },
      names: {
        ...{ "": "DCGM_FI_DEV_GPU_TEMP", gpu: "DCGM_FI_DEV_GPU_TEMP", edge: "DCGM_FI_DEV_GPU_TEMP" },
        memory: "DCGM_FI_DEV_MEMORY_TEMP",
      },
    },
  ],
  ["hw.power", ofWhole("W", "DCGM_FI_DEV_POWER_USAGE")],
  ["hw.energy", ofWhole("J", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION")],
]);
/** Attributes by which points of one metric and one GPU differ, in the conventions for hardware. */
const parts: readonly string[] = [
  ...["hw.gpu.task", "hw.sensor_location", "hw.gpu.io.direction", "network.io.direction"],
  ...["hw.memory.type", "hw.limit_type", "hw.state"],
];
/** Those that say what a point measures, instead of whose it is. */
const noLabels: ReadonlySet<string> = new Set(["hw.type", "hw.gpu.task", "hw.sensor_location"]);

function ofWhole(unit: string, name: string): HardwareMetric {
  return { unit, attribute: undefined, names: { "": name }, needsType: true };
}

/** A point as a series with one sample; or why it cannot be one.
 *  Source: https://opentelemetry.io/docs/specs/semconv/hardware/gpu/ */
export function seriesOf({ name, unit, resource }: OtlpMetric, point: OtlpPoint): WrittenSeries | string {
  const attributes = new Map([...resource, ...point.attributes]);
  const meaning = meaningOf(name, attributes);
  if (typeof meaning === "string") return meaning;
  const scaled = scaledName(meaning, unit);
  if (typeof scaled === "string") return `${name} has ${scaled}`;
  const labels = new Map<string, string>();
  for (const [attribute, value] of attributes) {
    if (!noLabels.has(attribute) && value !== "") labels.set(labelOf(attribute), value);
  }
  const index = indexIn(attributes.get("hw.name") ?? "");
  if (index !== undefined && !labels.has("gpu")) labels.set("gpu", index);
  const sample = { value: scaled.convert(point.value), timeMs: point.timeMs, isStale: point.isNoValue };
  return { name: scaled.name, labels: [...labels], samples: [sample], histograms: 0, exemplars: 0 };
}

const labelOf = (attribute: string): Label[0] => labelNames.get(attribute) ?? attribute.replaceAll(".", "_");

/** @returns why the point has no meaning, if another point of the GPU could have the same one */
function meaningOf(name: string, attributes: ReadonlyMap<string, string>): Meaning | string {
  const known = hardwareMetrics.get(name);
  if (known === undefined || (known.needsType && attributes.get("hw.type") !== "gpu")) return { name, unit: undefined };
  const other = parts.find((part) => part !== known.attribute && (attributes.get(part) ?? "") !== "");
  const part = other ?? known.attribute ?? "";
  const value = attributes.get(part) ?? "";
  const meant = other === undefined && Object.hasOwn(known.names, value) ? known.names[value] : undefined;
  return meant === undefined
    ? `${name} with ${part} = ${JSON.stringify(value)} is not read`
    : { name: meant, unit: known.unit };
}

/** How values with a unit become values under a name.
 *  @returns what is wrong with the unit */
function scaledName(
  { name, unit: own }: Meaning,
  given: string,
): (Pick<Scale, "convert"> & { readonly name: string }) | string {
  const unit = given === "" ? own : given;
  const spelling = dialectOfName(name) === undefined ? undefined : spellingOf(name);
  const metric = spelling && metrics[spelling.metricIndex];
  if (unit === undefined || spelling === undefined || metric === undefined) return { name, convert: same.convert };
  const scale = scaleOfUcum(metric.unit, unit);
  if (scale === undefined)
    return `the unit ${JSON.stringify(unit)}, which is not read; send ${ucumUnitsFor(metric.unit)}`;
  // the unit tells what that name alone does not
  if (spelling.isAmbiguous) return { name: metric.dcgmField, convert: scale.convert };
  return { name, convert: (value) => spelling.scale.invert(scale.convert(value)) };
}

/** The index in a name such as `GPU 3`, `nvidia3` or `3`. */
function indexIn(name: string): string | undefined {
  return /^(?:gpu|nvidia)?[ _#:-]*(\d{1,4})$/i.exec(name.trim())?.[1];
}
