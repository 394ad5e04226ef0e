import { metricFacts, type MetricKey } from "./metric.ts";

/** What is shown instead of a value that is not known: never 0. */
export const noValue = "no data";

/** A number with at most one decimal. */
export function shortNumber(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A metric's value with its unit.
 *  @param value NaN: none */
export function metricText(metric: MetricKey, value: number): string {
  return Number.isNaN(value) ? noValue : `${shortNumber(value)} ${metricFacts[metric].unit}`;
}

/** Used and total memory; used alone if the total is not known. */
export function memoryText(usedMib: number, freeMib: number): string {
  if (Number.isNaN(usedMib)) return noValue;
  const used = shortNumber(usedMib / 1024);
  return Number.isNaN(freeMib) ? `${used} GiB` : `${used} / ${shortNumber((usedMib + freeMib) / 1024)} GiB`;
}

/** Watts, or kilowatts for many devices. */
export function powerText(watts: number | undefined): string {
  if (watts === undefined) return noValue;
  return watts < 10_000 ? `${shortNumber(watts)} W` : `${shortNumber(watts / 1000)} kW`;
}

const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
] as const;

/** How long ago an instant was, in its largest unit. An instant that a clock ahead of this one has set was 0 s ago.
 *  @param atMs -Infinity: never */
export function ageText(atMs: number, nowMs: number): string {
  if (atMs === -Infinity) return "never";
  const ageMs = Math.max(0, nowMs - atMs);
  const [unitMs, unit] = units.find(([each]) => ageMs >= each) ?? [1000, "s"];
  return `${Math.floor(ageMs / unitMs)} ${unit}`;
}

/** A time of day here, such as 12:04:05. */
export function timeText(atMs: number): string {
  const at = new Date(atMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** A day and time here, such as 2026-01-05 12:04:05. */
export function dateText(atMs: number): string {
  const at = new Date(atMs);
  const day = [at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
  return `${at.getFullYear()}-${day} ${timeText(atMs)}`;
}

/** The units of the API that have a shorter sign. */
const unitSigns: Readonly<Partial<Record<string, string>>> = {
  percent: "%",
  celsius: "°C",
  watts: "W",
  ratio: "",
  status: "",
  flag: "",
  bitmask: "",
};

/** A value of any metric with its unit. Numbers below 10 keep two decimals, because ratios are between 0 and 1.
 *  @param unit as the API names it */
export function quantityText(value: number | undefined, unit: string): string {
  if (value === undefined || Number.isNaN(value)) return noValue;
  const digits = Math.abs(value) < 10 ? 100 : 10;
  return `${Math.round(value * digits) / digits} ${unitSigns[unit] ?? unit}`.trim();
}
