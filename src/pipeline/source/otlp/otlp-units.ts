import {
  binary,
  decimal,
  fromBytes,
  fromNvlinkBytes,
  fromRatio,
  same,
  type Scale,
} from "../../../domain/dialects/scale.ts";

type Units = Readonly<Record<string, Scale>>;

/** One scale after another. */
const then = (first: Scale, second: Scale): Scale => ({
  factor: first.factor * second.factor,
  convert: (value) => second.convert(first.convert(value)),
  invert: (value) => first.invert(second.invert(value)),
});
const times = (factor: number): Scale => ({
  factor,
  convert: (value) => value * factor,
  invert: (value) => value / factor,
});
/** 0 °C is 273.15 K exactly. Rounded to 12 digits: a difference of doubles has more of them than the value. */
const fromKelvins: Scale = {
  factor: 1,
  convert: (value) => Number((value - 273.15).toPrecision(12)),
  invert: (value) => Number((value + 273.15).toPrecision(12)),
};
/** 0 °C is 32 °F, and 5 K are 9 °F, exactly. */
const fromFahrenheit: Scale = {
  factor: 5 / 9,
  convert: (value) => ((value - 32) * 5) / 9,
  invert: (value) => (value * 9) / 5 + 32,
};
const bytes: Units = {
  ...{ By: same, KiBy: binary(10), MiBy: binary(20), GiBy: binary(30), TiBy: binary(40) },
  ...{ kBy: decimal(3), MBy: decimal(6), GBy: decimal(9), TBy: decimal(12) },
};
const count: Units = { "1": same };
/** Units of the Unified Code for Units of Measure, by the units of the catalogue that they are converted to. k, M and G are decimal there.
 *  Source: https://ucum.org/ucum, https://opentelemetry.io/docs/specs/semconv/general/metrics/#instrument-units */
const unitTables: Readonly<Record<string, Units>> = {
  percent: { "%": same, "1": fromRatio },
  ratio: { "1": same, "%": decimal(-2) },
  MiB: Object.fromEntries(Object.entries(bytes).map(([unit, scale]) => [unit, then(scale, fromBytes)])),
  celsius: { Cel: same, K: fromKelvins, "[degF]": fromFahrenheit },
  watts: { W: same, mW: decimal(-3), kW: decimal(3) },
  millijoules: {
    ...{ J: decimal(3), mJ: same, kJ: decimal(6), MJ: decimal(9) },
    ...{ "W.h": times(3_600_000), "kW.h": times(3_600_000_000), "W.s": decimal(3) },
  },
  MHz: { MHz: same, Hz: decimal(-6), kHz: decimal(-3), GHz: decimal(3) },
  nanoseconds: { ns: same, us: decimal(3), ms: decimal(6), s: decimal(9) },
  "bytes/s": Object.fromEntries(Object.entries(bytes).map(([unit, scale]) => [`${unit}/s`, scale])),
  "MB/s": { "MBy/s": same, "By/s": fromNvlinkBytes },
};
/** What OpenMetrics calls units, which a receiver of Prometheus passes on. */
const words: Readonly<Record<string, string>> = {
  ...{ bytes: "By", celsius: "Cel", joules: "J", watts: "W", hertz: "Hz", seconds: "s", ratio: "1", percent: "%" },
  ...{ degF: "[degF]" },
};

/** How a number with a unit becomes a value in a unit of the catalogue.
 *  @param text UCUM; a text in braces says what is counted, and is no part of the unit
 *  @returns undefined if the unit is another one */
export function scaleOfUcum(unit: string, text: string): Scale | undefined {
  const units = unitTables[unit] ?? count;
  const plain = text.replaceAll(/\{[^{}]*\}/g, "").trim() || "1";
  const known = Object.hasOwn(words, plain) ? words[plain] : plain;
  return known !== undefined && Object.hasOwn(units, known) ? units[known] : undefined;
}

/** The units that can be sent, for a message. */
export const ucumUnitsFor = (unit: string): string => Object.keys(unitTables[unit] ?? count).join(", ");
