import {
  fromBytes,
  fromHertz,
  fromJoules,
  fromMicrojoules,
  fromNvlinkBytes,
  fromRatio,
  fromSeconds,
  type Scale,
} from "../../src/domain/dialects/scale.ts";
import type { Spelling } from "../../src/domain/dialects/spelling.ts";
import { metrics } from "../../src/domain/metrics.ts";

/** The series of one name in an exporter's output. */
export interface Family {
  /** HELP and TYPE, with line ends. */
  readonly head: string;
  readonly name: string;
  /** Labels that are a part of the spelling, such as `clock_type="GPU_CLOCK_TYPE_MEMORY"`; usually none. */
  readonly labels: string;
  /** The fleet's name of the metric: DCGM's older one. */
  readonly metric: string;
  /** Formats a value in the fleet's unit. */
  readonly print: (value: number) => string;
}

/** How an exporter formats numbers in the unit of its spelling.
 *  @param isWhole true for a number that is an integer in the driver */
export type NumberFormat = (value: number, isWhole: boolean) => string;

/** dcgm-exporter: integers as they are, and six decimals for doubles. */
export const dcgmNumber: NumberFormat = (value, isWhole) => (isWhole ? String(Math.round(value)) : value.toFixed(6));

/** Exporters that use Go's client library: as few digits as tell the number apart from others, with an exponent from a million on.
 *  Source: https://pkg.go.dev/strconv#FormatFloat (format g, precision -1) */
export const goNumber: NumberFormat = (value) => {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 6) return String(value);
  const [digits, power = "0"] = value.toExponential().split("e");
  return `${digits}e${power.startsWith("-") ? "-" : "+"}${power.replace(/^[+-]/, "").padStart(2, "0")}`;
};

const units: ReadonlyMap<Scale, string> = new Map([
  [fromRatio, "ratio from 0 to 1"],
  [fromHertz, "Hz"],
  [fromJoules, "J"],
  [fromMicrojoules, "microjoules"],
  [fromSeconds, "s"],
  [fromBytes, "bytes"],
  [fromNvlinkBytes, "bytes per second"],
]);

/** The family of a metric in a spelling.
 *  @param metric the fleet's name
 *  @param type as the exporter declares it, which is not always what the metric is */
export function familyOf(
  metric: string,
  spelling: Spelling,
  { type, format }: { readonly type: "gauge" | "counter"; readonly format: NumberFormat },
): Family {
  const [, name = spelling.name, labels = ""] = /^([^{]+)\{(.*)\}$/.exec(spelling.name) ?? [];
  const declared = metrics[spelling.metricIndex];
  const unit = units.get(spelling.scale) ?? declared?.unit ?? "";
  const isWhole = spelling.width !== "fp64";
  return {
    head: headOf(name, `${declared?.description ?? name} (${unit}).`, type),
    name,
    labels,
    metric,
    print: (value) => format(inverse(spelling.scale, value), isWhole),
  };
}

/** HELP and TYPE of a family. */
export function headOf(name: string, help: string, type: "gauge" | "counter"): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

/** A value in the unit of our metric, in the unit of the spelling. Each scale is a multiplication or a division by an integer. */
function inverse({ factor }: Scale, value: number): number {
  return factor < 1 ? value * Math.round(1 / factor) : value / factor;
}
