const zero = 0x30;
const dot = 0x2e;
const minus = 0x2d;
/** Every integer of up to 15 digits and every power of ten up to 10^15 are doubles. Their quotient is rounded only once, so it
 *  is the number that Number() returns. */
const exactDigits = 15;

const powersOfTen = Array.from({ length: exactDigits + 1 }, (_, exponent) => 10 ** exponent);

/** Reads a number such as `-12.345` from bytes, without making a string.
 *  @returns the number that Number() returns, -0 for `-0`; undefined for any other form and for more than 15 digits: call Number()
 *    then */
export function decimalAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  const negative = bytes[start] === minus;
  let at = negative ? start + 1 : start;
  const firstDigit = at;
  let digits = 0;
  let dotAt = -1;
  for (; at < end; at += 1) {
    const digit = (bytes[at] as number) - zero;
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit;
    else if (bytes[at] === dot && dotAt === -1) dotAt = at;
    else return undefined;
  }
  const digitCount = at - firstDigit - (dotAt === -1 ? 0 : 1);
  if (digitCount === 0 || digitCount > exactDigits) return undefined;
  const value = dotAt === -1 ? digits : digits / (powersOfTen[end - dotAt - 1] as number);
  return negative ? -value : value;
}
