import { Tokenizer } from "@streamparser/json";

const timeName = /^_?time_?(?:stamp)?$/i;
/** A time in seconds since 2000, rounded to seven digits, and a later one or one in a smaller unit is a multiple of this. */
const roundTimeStep = 100;
const earliestSeconds = 9e8;

/** A number that no double can hold has such an exponent or so many digits. */
const hugeNumber = /e\+?\d{3}|\d{200}/i;

/** A number with an exponent, or beyond the range of a double, as it is written: a program may have rounded it, which its value no longer
 *  tells, and what is beyond the range is refused by its text. */
const writtenNumber = (text: string): number | string =>
  /e/i.test(text) || !Number.isFinite(Number(text)) ? text : Number(text);

/** Parses a JSON text of records. Numbers with an exponent stay texts where a time may be a rounded one, or a number beyond the range of a
 *  double: to ask for the texts of all numbers takes 8 times as long.
 *  @throws SyntaxError */
export function parseRecords(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return hasRoundTime(value) || hugeNumber.test(text) ? JSON.parse(text, withWrittenNumber) : value;
}

/** Splits JSON into tokens; the value of a number with an exponent, or beyond the range of a double, is its text. */
export class ExactTokenizer extends Tokenizer {
  protected override parseNumber(text: string): number {
    return writtenNumber(text) as number;
  }
}

function withWrittenNumber(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === "number" && context?.source !== undefined ? writtenNumber(context.source) : value;
}

/** True if the time of a record, or of one in a list, has few digits. */
function hasRoundTime(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasRoundTime);
  if (typeof value !== "object" || value === null) return false;
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === "number" && isRound(member) && timeName.test(name)) return true;
    if (name === "data" && hasRoundTime(member)) return true;
  }
  return false;
}

function isRound(number: number): boolean {
  return number >= earliestSeconds && number % roundTimeStep === 0;
}
