// Arrays in PostgreSQL's text form, for `$1::text::float8[]`: the same for every driver, and quick to build.

/** An array of numbers. NaN, a metric without a value, becomes NULL. */
export function numberArray(values: ArrayLike<number>): string {
  const parts = new Array<string>(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    parts[i] = value === value ? numberText(value) : "NULL";
  }
  return `{${parts.join(",")}}`;
}

/** An array of texts. Undefined becomes NULL. */
export function textArray(values: readonly (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? "NULL" : quoted(value))).join(",")}}`;
}

function quoted(value: string): string {
  return `"${withoutNul(value).replace(/["\\]/g, "\\$&")}"`;
}

/** Keeps the sign of -0, which String drops. */
function numberText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Replaces NUL, which PostgreSQL cannot store, with U+FFFD. */
export function withoutNul(value: string): string {
  return value.replaceAll("\u0000", "\ufffd");
}
