/** How values in the unit of a spelling become values in the unit of our metric. */
export interface Scale {
  /** The approximate factor, for people; `convert` gives the exact value. */
  readonly factor: number;
  readonly convert: (value: number) => number;
  /** The way back: from our unit to that of the spelling. */
  readonly invert: (value: number) => number;
}

/** The same unit. */
export const same: Scale = { factor: 1, convert: (value) => value, invert: (value) => value };
/** A ratio from 0 to 1 to percent. */
export const fromRatio = decimal(2);
export const fromHertz = decimal(-6);
export const fromJoules = decimal(3);
export const fromMicrojoules = decimal(-3);
export const fromSeconds = decimal(9);
/** Bytes to MiB. */
export const fromBytes = binary(-20);
/** Multiplies by a power of two, which changes no digit. */
export function binary(exponent: number): Scale {
  const factor = 2 ** exponent;
  return { factor, convert: (value) => value * factor, invert: (value) => value / factor };
}
/** DCGM computes both NVLink throughputs from KiB per second: it divides by 1,000 for the older field, and multiplies by 1,024 for
 *  the one in bytes per second. */
export const fromNvlinkBytes: Scale = {
  factor: 1 / 1_024_000,
  convert: (value) => value / 1_024_000,
  invert: (value) => value * 1_024_000,
};

/** Moves the decimal point by `exponent` places. A product of doubles would be another number than the printed one: 0.29 * 100 is
 *  28.999999999999996. */
export function decimal(exponent: number): Scale {
  const power = 10 ** Math.abs(exponent);
  return {
    factor: exponent < 0 ? 1 / power : power,
    convert: (value) => moved(value, exponent),
    invert: (value) => moved(value, -exponent),
  };
}

function moved(value: number, exponent: number): number {
  const power = 10 ** Math.abs(exponent);
  // both are exact powers, so the result is the double next to the exact one
  if (Number.isSafeInteger(value)) return exponent < 0 ? value / power : value * power;
  const [digits = "", given = "0"] = String(value).split("e");
  return Number(`${digits}e${Number(given) + exponent}`);
}
