import fc from "fast-check";
import type { SchemaCheck } from "./schema-check.ts";
import type { Parameter } from "./served-document.ts";

/** The document's expectation of a request. "either": not known, for example because a valid value may name
 *  something that does not exist. */
export type Expected = "accepted" | "refused" | "either";

/** A value for a URL, before it is encoded. */
export interface ParameterValue {
  readonly text: string;
  readonly expected: Expected;
}

/** Times, and texts that are nearly times. */
export const instants = [
  ...["2025-07-18T20:42:34Z", "2025-07-18T20:42:37.999999999Z", "2025-07-18T22:42:36+02:00", "2024-02-29T00:00:00Z"],
  ...["0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "1969-12-31T23:59:59Z"],
  ...["2016-12-31T23:59:60Z", "2025-07-18t20:42:34z", "2025-07-18 20:42:34Z", "2025-07-18T24:00:00Z"],
  ...["2025-02-30T00:00:00Z", "2025-13-01T00:00:00Z", "2025-07-18", "2025-07-18T20:42:34", "1752871354", "2025", "now"],
  ...["2025-07-18T20:42:34 02:00", "+010000-01-01T00:00:00Z", "-271821-04-20T00:00:00Z", "2025-07-18T20:42Z"],
  ...["-1h", "now-7d", "+250ms", " 1h", "1h", "-1", "-1y", "now-", "now 1", "-1.5h", "-999999999w", "-9999999999h"],
];

const odd = [
  ...["", " ", "0", "-1", "1e3", "1.5", "NaN", "Infinity", "null", "undefined", "true", "[]", "{}", "\u0000", "\n"],
  ...[
    "'",
    '"',
    "' or 1=1 --",
    "%",
    "%00",
    "%zz",
    "\\",
    "/",
    "a/b",
    "?",
    "#",
    "&",
    "=",
    "+",
    ",",
    ",,",
    ";",
    "*",
    "...",
  ],
  ...["__proto__", "constructor", "toString", "é", "\u{1f525}", "\ud800", "\u202e", "GPU-0", "9007199254740993"],
  ...["00000000000000000000000001", "x".repeat(257), "x".repeat(5000), "9".repeat(400)],
];

/** Values of a parameter: the document's example, values at and around the limits of its schema, and odd texts. */
export function valuesOf({ schema, example }: Parameter, check: SchemaCheck): fc.Arbitrary<ParameterValue> {
  const judged = (text: string): ParameterValue => {
    if (check.errorOf(schema, readAs(schema, text)) !== undefined) return { text, expected: "refused" };
    return { text, expected: text === textOf(example) ? "accepted" : "either" };
  };
  const texts = [
    ...(example === undefined ? [] : [{ weight: 6, arbitrary: fc.constant(textOf(example)) }]),
    { weight: 6, arbitrary: edgesOf(schema) },
    { weight: 2, arbitrary: fc.constantFrom(...odd) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  ];
  return fc.oneof(...texts).map(judged);
}

function textOf(example: unknown): string {
  return typeof example === "string" ? example : JSON.stringify(example);
}

function edgesOf(schema: Parameter["schema"]): fc.Arbitrary<string> {
  const { type, minimum, maximum, minLength, maxLength, pattern } = schema as Record<string, number | string>;
  const choices = schema["enum"] as readonly string[] | undefined;
  if (choices !== undefined) return fc.constantFrom(...choices, ...choices.map((choice) => choice.toUpperCase()));
  if (type === "integer" || type === "number") {
    const [lowest, highest] = [Number(minimum ?? 0), Number(maximum ?? Number.MAX_SAFE_INTEGER)];
    const edges = [lowest - 1, lowest, lowest + 1, highest - 1, highest, highest + 1].map(String);
    return fc.oneof(
      fc.constantFrom(...edges),
      fc.integer({ min: lowest, max: Math.min(highest, 2 ** 31) }).map(String),
    );
  }
  if (type === "boolean") return fc.constantFrom("true", "false", "1", "yes");
  if (typeof pattern === "string") {
    const texts = new RegExp(pattern).test(String(instants[0])) ? instants : odd;
    return fc.oneof(fc.stringMatching(new RegExp(pattern)), fc.constantFrom(...texts));
  }
  const lengths = [Number(minLength ?? 1), Number(maxLength ?? 300), Number(maxLength ?? 300) + 1];
  return fc.constantFrom(...lengths).map((length) => "a".repeat(length));
}

/** The value that the gateway reads from the text of a parameter. For a numeric type, a text of 1 to 15 digits becomes a number,
 *  and for a boolean one, `true` and `false` become booleans; any other text stays a text, which such a schema does not accept. */
function readAs(schema: Parameter["schema"], text: string): unknown {
  const isNumber = schema["type"] === "integer" || schema["type"] === "number";
  if (isNumber) return /^\d{1,15}$/.test(text) ? Number(text) : text;
  if (schema["type"] === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}
