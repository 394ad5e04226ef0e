/** Values as integers: each is an integer divided by 10^`digits`, except the ones at `others`. */
export interface Decimals {
  readonly digits: number;
  /** At the place of an other value: the integer before it. */
  readonly integers: Float64Array;
  readonly others: readonly number[];
}

/** Exporters print at most 6 digits after the point. */
export const digitsMax = 9;
const powers = Array.from({ length: digitsMax + 1 }, (_, digits) => 10 ** digits);
/** Differences of two differences of such integers are still exact. */
const integerMax = 2 ** 49;
/** Of so many values, one may be no such integer: it takes nine bytes more. */
const valuesPerOther = 32;

/** Finds the fewest digits with which nearly all of the values are integers. The quotient of integer and power is the value itself, to
 *  the bit.
 *  @param values without NaN
 *  @returns undefined if too many values are no decimal numbers of few digits */
export function decimalsOf(values: Float64Array): Decimals | undefined {
  const all = allAtOnce(values);
  if (all !== undefined) return all;
  const digits = digitsOf(values, values.length);
  const power = powers[digits];
  if (power === undefined) return undefined;
  const integers = new Float64Array(values.length);
  const others: number[] = [];
  let last = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    if (isExact(value, power)) last = Math.round(value * power);
    else others.push(index);
    integers[index] = last;
  }
  return others.length * valuesPerOther > values.length ? undefined : { digits, integers, others };
}

/** The inverse of `decimalsOf`, in place, without the other values. */
export function divide(integers: Float64Array, digits: number): void {
  const power = powers[digits] ?? NaN;
  if (digits > 0)
    for (let index = 0; index < integers.length; index += 1) integers[index] = (integers[index] as number) / power;
}

/** The decimals if all values have the digits that the first ones need: in half the time. @returns undefined if some have more */
function allAtOnce(values: Float64Array): Decimals | undefined {
  const digits = digitsOf(values, Math.min(values.length, valuesPerOther));
  const power = powers[digits];
  if (power === undefined) return undefined;
  const integers = new Float64Array(values.length);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    const integer = Math.round(value * power);
    // as isExact, which is not called for speed
    const isInteger = integer / power === value && integer < integerMax && integer > -integerMax;
    if (!isInteger || (integer === 0 && !Object.is(value, 0))) return undefined;
    integers[index] = integer;
  }
  return { digits, integers, others: [] };
}

/** The digits of the first `length` values. @returns digitsMax + 1 if there are none */
function digitsOf(values: Float64Array, length: number): number {
  const needed = new Uint32Array(digitsMax + 2);
  let usual = 0;
  for (let index = 0; index < length; index += 1) {
    const value = values[index] as number;
    let digits = usual;
    if (!isExact(value, powers[usual] as number)) {
      digits = powers.findIndex((power) => isExact(value, power));
      if (digits < 0) digits = digitsMax + 1;
      else if ((needed[digits] as number) * valuesPerOther > index) usual = digits;
    }
    needed[digits] = (needed[digits] as number) + 1;
  }
  let more = 0;
  for (let digits = digitsMax + 1; digits > 0; digits -= 1) {
    more += needed[digits] as number;
    if (more * valuesPerOther > length) return digits;
  }
  return 0;
}

function isExact(value: number, power: number): boolean {
  const integer = Math.round(value * power);
  return (
    integer / power === value && integer < integerMax && integer > -integerMax && (integer !== 0 || Object.is(value, 0))
  );
}
