import { noValue, shortNumber } from "./format.ts";

/** The sum of the rates of processes; absent ones are not known, and not 0. */
export function rateText(perSecond: readonly (number | undefined)[]): string {
  const known = perSecond.filter((each) => each !== undefined);
  return known.length === 0 ? noValue : `${shortNumber(known.reduce((sum, each) => sum + each, 0))} /s`;
}

/** A span of time that may not be known. */
export function secondsText(seconds: number | undefined): string {
  return seconds === undefined ? noValue : `${shortNumber(seconds)} s`;
}

/** Memory in a unit that keeps the number short. */
export function bytesText(bytes: number | undefined): string {
  if (bytes === undefined) return noValue;
  const mebibytes = bytes / 1024 ** 2;
  return mebibytes < 1024 ? `${shortNumber(mebibytes)} MiB` : `${shortNumber(mebibytes / 1024)} GiB`;
}

/** A number that may not be known. */
export const numberText = (value: number | undefined, unit = ""): string =>
  value === undefined ? noValue : `${shortNumber(value)} ${unit}`.trim();
