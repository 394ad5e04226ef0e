import { decimalNumber, infinityText } from "../../../domain/value-text.ts";

const notANumber = /^nan$/i;

/** Reads a number as both formats write it: a decimal number, an infinity or NaN, in upper or lower case. Hexadecimal numbers and
 *  thousands separators are errors.
 *  Source: https://prometheus.io/docs/specs/om/open_metrics_spec/#numbers
 *  @returns undefined if the text is no number; `too_large` for a decimal number beyond the range of a double */
export function readNumber(text: string): number | "too_large" | undefined {
  if (decimalNumber.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : "too_large";
  }
  if (infinityText.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return notANumber.test(text) ? NaN : undefined;
}
