import { binary, decimal, same, type Scale } from "./scale.ts";

/** Texts that programs write for units, as they are converted to the unit of a metric. The first ones are those that a message
 *  proposes. MB and GB are not among them: some programs write them for 10^6 bytes, and others for MiB. */
const unitTexts: Readonly<Record<string, Readonly<Record<string, Scale>>>> = {
  percent: { "%": same, percent: same, pct: same },
  ratio: { "%": decimal(-2), percent: decimal(-2), pct: decimal(-2) },
  MiB: {
    ...{ MiB: same, GiB: binary(10), TiB: binary(20), KiB: binary(-10), B: binary(-20) },
    ...{ Mi: same, Gi: binary(10), Ti: binary(20), Ki: binary(-10), bytes: binary(-20) },
  },
  celsius: { C: same, "°C": same, celsius: same, degC: same },
  watts: { W: same, mW: decimal(-3), kW: decimal(3), watts: same, watt: same, Watts: same, Watt: same },
  MHz: { MHz: same, GHz: decimal(3), kHz: decimal(-3), Hz: decimal(-6) },
  millijoules: { mJ: same, J: decimal(3), kJ: decimal(6), MJ: decimal(9) },
  nanoseconds: { ns: same, us: decimal(3), µs: decimal(3), μs: decimal(3), ms: decimal(6), s: decimal(9) },
  "bytes/s": { "B/s": same, "KiB/s": binary(10), "MiB/s": binary(20), "GiB/s": binary(30) },
  "MB/s": { "MB/s": same },
};
/** How many texts a message proposes. */
const proposedMax = 3;
const bitsAndCodes = new Set(["XID code", "status", "flag", "bitmask"]);

/** How a number with a unit becomes a value of a metric; undefined if the unit is another one.
 *  @param unit the metric's unit in the catalogue */
export function scaleOfUnit(unit: string, text: string): Scale | undefined {
  const texts = unitTexts[unit];
  if (texts === undefined) return text === unit && !bitsAndCodes.has(unit) ? same : undefined;
  return Object.hasOwn(texts, text) ? texts[text] : undefined;
}

/** Units that programs write and that are not converted. */
const otherUnits: readonly string[] = [
  ...[
    "kB",
    "KB",
    "MB",
    "GB",
    "TB",
    "F",
    "°F",
    "K",
    "rpm",
    "V",
    "mV",
    "A",
    "mA",
    "Wh",
    "kWh",
    "min",
    "h",
    "MT/s",
    "GT/s",
  ],
  ...["kB/s", "KB/s", "GB/s", "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "bps", "kbps", "Mbps", "Gbps", "Mb/s", "Gb/s"],
];
const knownUnits: ReadonlySet<string> = new Set(
  [...Object.keys(unitTexts), ...Object.values(unitTexts).flatMap((texts) => Object.keys(texts)), ...otherUnits].map(
    (text) => text.toLowerCase(),
  ),
);

/** True for a text that is a unit of anything, in any case: other texts after a number make it none. */
export function isUnit(text: string): boolean {
  return knownUnits.has(text.trim().toLowerCase());
}

/** The units that a metric can be written in, for a message; empty if it has none. */
export function unitsFor(unit: string): string {
  const texts = Object.keys(unitTexts[unit] ?? {});
  return texts.slice(0, proposedMax).join(" or ");
}
