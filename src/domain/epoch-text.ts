/** A number: its sign is not read, because no record is from before 1970. */
const number = /^(\d+)(?:\.(\d*))?(?:[eE]\+?(\d{1,2}))?$/;
/** A number that a program has written with fewer digits, such as a spreadsheet's `1.77237E+12`, is another instant. `%g` and Excel write
 *  six digits, `%e` seven. */
const roundedDigits = 7;
/** By how many places a number in each unit is moved to become milliseconds: seconds, milliseconds, microseconds, nanoseconds. */
const placesOfUnits = [3, 0, -3, -6];
/** How many digits the milliseconds of an instant from September 2001 on have; those of an earlier one from 2000 on have one less. */
const millisecondDigits = 13;

/** Reads seconds, milliseconds, microseconds or nanoseconds since the epoch, with or without a fraction or an exponent: `1772366407.5`,
 *  `1.772366411e+09`, `1772366410123456789`. The number of digits tells the unit: in the years that are stored, no number is
 *  an instant in two units. Digits beyond the millisecond are cut. The digits are moved as text, because a double has not all digits of
 *  nanoseconds.
 *  @param earliestMs the first instant that may be written with one digit less
 *  @returns milliseconds since the epoch; undefined if the text is no such number; `rounded` if its digits were rounded */
export function millisecondsOfEpoch(text: string, earliestMs: number): number | "rounded" | undefined {
  const [, whole, fraction = "", exponent] = number.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const digits = `${whole}${fraction}`;
  const significant = digits.replace(/^0+/, "");
  const point = whole.length + Number(exponent ?? 0) - (digits.length - significant.length);
  for (const places of placesOfUnits) {
    const msDigits = point + places;
    if (msDigits !== millisecondDigits && msDigits !== millisecondDigits - 1) continue;
    const ms = Number(significant.slice(0, msDigits).padEnd(msDigits, "0"));
    if (msDigits < millisecondDigits && ms < earliestMs) return undefined;
    const isRounded = exponent !== undefined && significant.replace(/0+$/, "").length <= roundedDigits;
    return isRounded ? "rounded" : ms;
  }
  return undefined;
}
